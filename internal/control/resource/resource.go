// Package resource holds what users wrote, parsed: an immutable Snapshot of
// every object with its origin. It knows the API types and nothing of what is
// made of them; package decode below it turns YAML into its forms.
package resource

import (
	"cmp"
	"slices"
	"strings"
	"time"

	networkingv1 "istio.io/api/networking/v1alpha3"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// Kind is a kind of resource as YAML has it.
type Kind string

// The kinds that are read.
const (
	MetaRouter          Kind = "MetaRouter"
	ApplicationProtocol Kind = "ApplicationProtocol"
	ServiceEntry        Kind = "ServiceEntry"
	WorkloadEntry       Kind = "WorkloadEntry"
	DestinationRule     Kind = "DestinationRule"
)

// Key names an object.
type Key struct {
	Kind      Kind
	Namespace string
	Name      string
}

// Diag is the key as diagnostics have it.
func (k Key) Diag() diag.Object {
	return diag.Object{Kind: string(k.Kind), Namespace: k.Namespace, Name: k.Name}
}

// String renders "Kind namespace/name".
func (k Key) String() string { return k.Diag().String() }

// Compare orders keys by kind, namespace and name.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(string(k.Kind), string(o.Kind)),
		strings.Compare(k.Namespace, o.Namespace), strings.Compare(k.Name, o.Name))
}

// Lines finds the line of a field in the file that an object came from.
type Lines interface {
	// Line returns the 1-based line of the field at this path, or of the
	// closest parent that is there.
	Line(path string) int
}

// Meta is what every form of an object has beside its spec.
type Meta struct {
	Key         Key
	Labels      map[string]string
	Annotations map[string]string
	// Created is the creation timestamp; zero where the source has none.
	Created time.Time
	// File and Line are where the object begins.
	File string
	Line int
	// Hash is a hash of the object's text: equal text, equal hash.
	Hash string
	// Lines finds its fields; nil where there are no lines.
	Lines Lines
}

// At returns the line of the field.
func (m *Meta) At(field string) int {
	if m.Lines == nil {
		return m.Line
	}
	return m.Lines.Line(field)
}

// Older orders objects by age, ties by namespace and name: the first of two
// that contend for something has it.
func (m *Meta) Older(o *Meta) int {
	return cmp.Or(m.Created.Compare(o.Created), m.Key.Compare(o.Key))
}

// Form is one form of an object: T is a pointer to its spec. It is never
// changed after it was made.
type Form[T any] struct {
	Meta
	Spec T
}

// Object is an object with the forms that may be put in force: at least one.
type Object[T any] struct {
	Key Key
	// Current is what the user wrote last; nil where that is not valid within
	// itself.
	Current *Form[T]
	// LastGood is the form that was accepted last; nil where none was.
	LastGood *Form[T]
}

// Snapshot is all that the control plane was given at one time, last good
// forms included, sorted by key. It is immutable.
type Snapshot struct {
	MetaRouters          []Object[*metarouterv1.MetaRouterSpec]
	ApplicationProtocols []Object[*metarouterv1.ApplicationProtocolSpec]
	ServiceEntries       []Object[*networkingv1.ServiceEntry]
	WorkloadEntries      []Object[*networkingv1.WorkloadEntry]
	DestinationRules     []Object[*networkingv1.DestinationRule]
}

// Item is a form before its type is known: Spec is one of the pointers that
// Snapshot has.
type Item struct {
	Meta
	Spec any
}

// NewSnapshot sorts the current and the last good forms into a snapshot. Both
// maps stay the caller's.
func NewSnapshot(current, lastGood map[Key]*Item) *Snapshot {
	keys := make([]Key, 0, len(current))
	for k := range current {
		keys = append(keys, k)
	}
	for k := range lastGood {
		if current[k] == nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	s := &Snapshot{}
	for _, k := range keys {
		s.add(k, current[k], lastGood[k])
	}
	return s
}

func (s *Snapshot) add(k Key, current, lastGood *Item) {
	switch k.Kind {
	case MetaRouter:
		s.MetaRouters = append(s.MetaRouters, object[*metarouterv1.MetaRouterSpec](k, current, lastGood))
	case ApplicationProtocol:
		s.ApplicationProtocols = append(s.ApplicationProtocols, object[*metarouterv1.ApplicationProtocolSpec](k, current, lastGood))
	case ServiceEntry:
		s.ServiceEntries = append(s.ServiceEntries, object[*networkingv1.ServiceEntry](k, current, lastGood))
	case WorkloadEntry:
		s.WorkloadEntries = append(s.WorkloadEntries, object[*networkingv1.WorkloadEntry](k, current, lastGood))
	case DestinationRule:
		s.DestinationRules = append(s.DestinationRules, object[*networkingv1.DestinationRule](k, current, lastGood))
	}
}

func object[T any](k Key, current, lastGood *Item) Object[T] {
	return Object[T]{Key: k, Current: form[T](current), LastGood: form[T](lastGood)}
}

func form[T any](i *Item) *Form[T] {
	if i == nil {
		return nil
	}
	return &Form[T]{Meta: i.Meta, Spec: i.Spec.(T)}
}
