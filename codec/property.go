package codec

import (
	"fmt"
	"strings"
)

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
