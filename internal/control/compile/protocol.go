package compile

import (
	"slices"
	"strings"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// Protocol is a protocol that port names may have.
type Protocol struct {
	// Name is the name in port names, Codec that of the codec.
	Name, Codec string
	// Schema is that of the ApplicationProtocol in force, else the built-in
	// one; empty where Open.
	Schema ProtocolSchema
	// Open: nobody told its properties, so attributes are not checked.
	Open bool
}

func (c *compiler) compileProtocols(objects []resource.Object[*metarouterv1.ApplicationProtocolSpec]) {
	c.protocols = map[string]Protocol{}
	for name, schema := range c.options.Schemas {
		c.protocols[name] = Protocol{Name: name, Codec: name, Schema: schema}
	}
	var forms []chosen[*metarouterv1.ApplicationProtocolSpec, Protocol]
	for _, o := range objects {
		if ch, ok := choose(c, o, "the protocol is not known", c.protocol); ok {
			forms = append(forms, ch)
		}
	}
	slices.SortStableFunc(forms, func(a, b chosen[*metarouterv1.ApplicationProtocolSpec, Protocol]) int {
		return a.form.Older(&b.form.Meta)
	})
	owner := map[string]resource.Key{}
	for _, ch := range forms {
		if first, taken := owner[ch.made.Name]; taken {
			c.refuse(&ch.form.Meta, conflict("spec.protocol", "Conflicted", "remove one of them", "%s defines %q already", first, ch.made.Name))
			continue
		}
		owner[ch.made.Name] = ch.form.Key
		c.protocols[ch.made.Name] = ch.made
	}
}

func (c *compiler) protocol(f *resource.Form[*metarouterv1.ApplicationProtocolSpec]) (Protocol, findings) {
	var found findings
	p := Protocol{Name: f.Spec.Protocol, Codec: f.Spec.Codec}
	if p.Codec == "" {
		p.Codec = p.Name
	}
	p.Codec = p.Codec[strings.LastIndexByte(p.Codec, '.')+1:]
	schema, builtIn := c.options.Schemas[p.Codec]
	switch {
	case len(f.Spec.Properties) > 0:
		p.Schema = ProtocolSchema{Properties: properties(f.Spec.Properties), Parallel: schema.Parallel || f.Spec.Parallel}
		p.Schema.Mutable = schema.Mutable || !builtIn
	case builtIn:
		p.Schema = schema
	default:
		p.Open = true
		found.add(note, "spec.properties", "NoSchema", "add what \"describe\" of a proxy with the codec prints",
			"the properties of codec %q are not known here: attributes of its rules are not checked", p.Codec)
	}
	return p, found
}

func properties(in []metarouterv1.Property) []codec.Property {
	out := make([]codec.Property, len(in))
	for i, p := range in {
		out[i] = codec.Property{Name: p.Name, Keyed: p.Keyed, Fallback: p.Fallback, Mutable: p.Mutable, Doc: p.Doc}
		if p.Type == "int" {
			out[i].Type = codec.Int
		}
	}
	return out
}

// attribute returns the property that the attribute names, in its full
// spelling, and whether mutations may name it.
func (p *Protocol) attribute(name string) (full string, mutable bool, err error) {
	if p.Open {
		return name, true, nil
	}
	ref, err := codec.FindProperty(p.Schema.Properties, name)
	if err != nil {
		return "", false, err
	}
	return codec.RefName(p.Schema.Properties, ref), p.Schema.Mutable && p.Schema.Properties[ref.Property].Mutable, nil
}

// mutableAdvice lists what can be changed.
func (p *Protocol) mutableAdvice() string {
	var mutable []codec.Property
	for _, prop := range p.Schema.Properties {
		if prop.Mutable {
			mutable = append(mutable, prop)
		}
	}
	if len(mutable) == 0 {
		return "remove the mutation"
	}
	return "what can be changed is " + strings.Join(codec.PropertyNames(mutable), ", ")
}

// portProtocol reads the protocol out of tcp-metaprotocol-<protocol>[-suffix]
// or tcp-<protocol>[-suffix]. explicit: the port says that it is managed,
// whether the protocol is known or not.
func portProtocol(name string) (protocol string, explicit bool) {
	parts := strings.Split(strings.ToLower(name), "-")
	if len(parts) < 2 || parts[0] != "tcp" {
		return "", false
	}
	if parts[1] != "metaprotocol" {
		return parts[1], false
	}
	if len(parts) == 2 {
		return "", true
	}
	return parts[2], true
}
