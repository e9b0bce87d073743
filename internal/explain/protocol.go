package explain

import (
	"errors"
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// schemaProtocol is a protocol of which only the properties are known: enough
// for a route table, which never decodes.
type schemaProtocol struct {
	name       string
	properties []codec.Property
}

func (p *schemaProtocol) Traits() codec.Traits              { return codec.Traits{Name: p.name} }
func (p *schemaProtocol) Properties() []codec.Property      { return p.properties }
func (p *schemaProtocol) Sniff(prefix []byte) codec.Verdict { return codec.No }
func (p *schemaProtocol) Decoder(codec.Side, codec.Limits) codec.Decoder {
	return request{}
}

// request is a described request: the values of properties, without bytes. It
// is a codec.Decoder that has decoded already.
type request map[codec.Ref]codec.Value

var errNoCodec = errors.New("explain: a described request has no bytes to decode")

func (request) Next([]byte, *codec.Want, func(uint64) uint64, *codec.Message) error {
	return errNoCodec
}

func (r request) Get(_ []byte, _ *codec.Message, ref codec.Ref) (codec.Value, bool) {
	v, ok := r[ref]
	return v, ok
}

// properties returns those of the port's protocol. Where nobody told any,
// compile does not check attributes; open is true then, and the properties are
// those that rules and the request name.
func properties(r *controller.Result, p *ir.Port, named []string) (properties []codec.Property, open bool) {
	if known := r.Protocol(p.Protocol); known != nil && !known.Open {
		return known.Schema.Properties, false
	}
	return openProperties(named), true
}

// inForce returns the form of an object that compile put in force, nil if none.
func inForce[T any](r *controller.Result, o resource.Object[T]) *resource.Form[T] {
	s := r.Status(o.Key.Diag())
	switch {
	case s == nil:
		return nil
	case s.InForce == compile.Current:
		return o.Current
	case s.InForce == compile.LastGood:
		return o.LastGood
	}
	return nil
}

// openProperties makes a property of each name, a family of each that has a
// key. All may be mutated: nobody knows better.
func openProperties(names []string) []codec.Property {
	var out []codec.Property
	for _, n := range names {
		base, _, keyed := strings.Cut(n, "[")
		p := codec.Property{Name: base, Keyed: keyed, Mutable: true}
		if base != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// names lists every attribute that the table's routes name.
func names(t *ir.RouteTable) []string {
	var out []string
	for i := range t.Routes {
		r := &t.Routes[i]
		for _, m := range r.Matches {
			for _, p := range m.Properties {
				out = append(out, p.Property)
			}
		}
		for _, h := range r.Hash {
			out = append(out, h.Property)
		}
		if r.Mutation != nil {
			for _, m := range slices.Concat(r.Mutation.Request, r.Mutation.Response) {
				out = append(out, m.Property)
			}
		}
	}
	return out
}
