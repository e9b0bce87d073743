package compile

import (
	"fmt"
	"maps"
	"slices"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// matches returns the alternatives: match, then matches. None, or one that
// asks nothing, matches every request.
func (r *routing) matches(at string, in *metarouterv1.MetaRoute) []ir.Match {
	var out []ir.Match
	if in.Match != nil {
		out = append(out, r.match(at+".match", in.Match))
	}
	for i := range in.Matches {
		out = append(out, r.match(fmt.Sprintf("%s.matches[%d]", at, i), &in.Matches[i]))
	}
	if matchesAll(out) {
		return nil
	}
	return out
}

func matchesAll(alternatives []ir.Match) bool {
	return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(m ir.Match) bool { return len(m.Properties) == 0 && m.Source == nil })
}

func (r *routing) match(at string, in *metarouterv1.MetaRouteMatch) ir.Match {
	var out ir.Match
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		field := at + ".attributes." + name
		full, _, err := r.protocol.attribute(name)
		if err != nil {
			r.found.add(fault, field, "UnknownAttribute", "these are the attributes of "+r.protocol.Name, "%v", err)
			continue
		}
		m := in.Attributes[name]
		p := propertyMatch(&m)
		p.Property = full
		out.Properties = append(out.Properties, p)
	}
	if in.Source != nil {
		out.Source = &ir.SourceMatch{Labels: in.Source.Labels, Namespace: in.Source.Namespace}
	}
	return out
}

func propertyMatch(m *metarouterv1.StringMatch) ir.PropertyMatch {
	out := ir.PropertyMatch{Invert: m.Invert}
	switch {
	case m.Exact != nil && *m.Exact == "":
		// Upstream's matcher reads the empty exact value as "is there".
		out.Kind = ir.Present
	case m.Exact != nil:
		out.Kind, out.Value = ir.Exact, *m.Exact
	case m.Prefix != nil:
		out.Kind, out.Value = ir.Prefix, *m.Prefix
	case m.Suffix != nil:
		out.Kind, out.Value = ir.Suffix, *m.Suffix
	case m.Regex != nil:
		out.Kind, out.Value = ir.Regex, *m.Regex
	case m.Present != nil:
		out.Kind = ir.Present
	case m.Absent != nil:
		out.Kind = ir.Absent
	case m.Range != nil:
		out.Kind, out.Start, out.End = ir.Range, m.Range.Start, m.Range.End
	}
	return out
}
