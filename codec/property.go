package codec

import (
	"fmt"
	"strings"
)

// Property is something in a message that rules may read, in YAML an attribute.
type Property struct {
	// Name as users write it: "method". A family of keyed properties
	// ("attachment") is written attachment[key].
	Name string
	// Keyed: a family of properties, told apart by a key.
	Keyed bool
	// Fallback: a name that is no other property is a key of this family. At
	// most one family has it.
	Fallback bool
	// Type of its values.
	Type ValueType
	// Mutable: edits of requests and replies may name it.
	Mutable bool
	// Doc is one sentence for users.
	Doc string
}

// ValueType is the type of a property.
type ValueType uint8

// String values are bytes; Int values fit 64 bits, signed.
const (
	String ValueType = iota
	Int
)

// String returns the name that "describe" prints.
func (t ValueType) String() string {
	if t == Int {
		return "int"
	}
	return "string"
}

// Ref names one property of a message: an index into Properties and, for a
// keyed one, the key.
type Ref struct {
	Property int
	Key      string
}

// Value is what a property holds in one message. Bytes is a view of the
// message, valid until the message is forwarded. Where IsInt, Int holds the
// number; Bytes may be nil then.
type Value struct {
	Bytes []byte
	Int   int64
	IsInt bool
}

// Want is the set of properties that the rules of a configuration read,
// compiled once; immutable. A nil Want wants nothing.
type Want struct {
	refs []Ref
	mask uint64
}

// NewWant returns the set of refs, each once, in the order first given.
func NewWant(refs ...Ref) *Want {
	w := &Want{}
	for _, r := range refs {
		if w.index(r) < 0 {
			w.refs = append(w.refs, r)
			w.mask |= 1 << (uint(r.Property) & 63)
		}
	}
	return w
}

func (w *Want) index(r Ref) int {
	for i, have := range w.refs {
		if have == r {
			return i
		}
	}
	return -1
}

// Has reports whether any wanted Ref is of the property at this index.
func (w *Want) Has(property int) bool {
	return w != nil && w.mask&(1<<(uint(property)&63)) != 0
}

// Empty reports whether nothing is wanted.
func (w *Want) Empty() bool { return w == nil || len(w.refs) == 0 }

// Refs returns the wanted Refs; the caller must not change them.
func (w *Want) Refs() []Ref {
	if w == nil {
		return nil
	}
	return w.refs
}

// FindProperty resolves the name of an attribute as users write it ("method",
// "attachment[user]", or a bare key of the fallback family) against a
// protocol's properties. The error lists the names that there are.
func FindProperty(properties []Property, name string) (Ref, error) {
	base, key, keyed := strings.Cut(name, "[")
	if keyed {
		if !strings.HasSuffix(key, "]") || len(key) < 2 {
			return Ref{}, fmt.Errorf("attribute %q: a key is written name[key]", name)
		}
		key = key[:len(key)-1]
	}
	fallback := -1
	for i, p := range properties {
		if p.Name == base && p.Keyed == keyed {
			return Ref{Property: i, Key: key}, nil
		}
		if p.Keyed && p.Fallback {
			fallback = i
		}
	}
	if fallback >= 0 && !keyed && name != "" {
		return Ref{Property: fallback, Key: name}, nil
	}
	return Ref{}, fmt.Errorf("attribute %q is not one of %s", name, strings.Join(PropertyNames(properties), ", "))
}

// PropertyNames returns the names as users write them, keyed ones as name[*].
func PropertyNames(properties []Property) []string {
	names := make([]string, len(properties))
	for i, p := range properties {
		names[i] = p.Name
		if p.Keyed {
			names[i] += "[*]"
		}
	}
	return names
}

// RefName is the inverse of FindProperty.
func RefName(properties []Property, r Ref) string {
	if r.Property < 0 || r.Property >= len(properties) {
		return fmt.Sprintf("property %d", r.Property)
	}
	p := properties[r.Property]
	if p.Keyed {
		return p.Name + "[" + r.Key + "]"
	}
	return p.Name
}
