package explain

import (
	"errors"
	"slices"
	"strings"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
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

// protocol returns the properties of the port's protocol: those of the
// ApplicationProtocol in force, else those of the built-in codec. Where nobody
// told any, compile does not check attributes; open is true then, and the
// properties are those that rules and the request name.
func (k *Known) protocol(r *controller.Result, p *ir.Port, named []string) (properties []codec.Property, open bool) {
	if f := applicationProtocol(r, p.Protocol); f != nil && len(f.Spec.Properties) > 0 {
		return schemaProperties(f.Spec.Properties), false
	}
	if s, ok := k.Schemas[p.Codec]; ok {
		return s.Properties, false
	}
	return openProperties(named), true
}

func schemaProperties(in []metarouterv1.Property) []codec.Property {
	out := make([]codec.Property, len(in))
	for i, p := range in {
		out[i] = codec.Property{Name: p.Name, Keyed: p.Keyed, Fallback: p.Fallback, Mutable: p.Mutable, Doc: p.Doc}
		if p.Type == codec.Int.String() {
			out[i].Type = codec.Int
		}
	}
	return out
}

// applicationProtocol returns the form in force that defines the protocol, nil
// if none does.
func applicationProtocol(r *controller.Result, name string) *resource.Form[*metarouterv1.ApplicationProtocolSpec] {
	for _, o := range r.Snapshot.ApplicationProtocols {
		if f := inForce(r, o); f != nil && f.Spec.Protocol == name {
			return f
		}
	}
	return nil
}

// inForce returns the form of an object that compile put in force, nil if none.
func inForce[T any](r *controller.Result, o resource.Object[T]) *resource.Form[T] {
	switch status(r, o.Key.Diag()) {
	case compile.Current:
		return o.Current
	case compile.LastGood:
		return o.LastGood
	}
	return nil
}

func status(r *controller.Result, o diag.Object) compile.InForce {
	i := slices.IndexFunc(r.Objects, func(s compile.ObjectStatus) bool { return s.Object == o })
	if i < 0 {
		return compile.None
	}
	return r.Objects[i].InForce
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
