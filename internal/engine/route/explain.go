package route

import (
	"fmt"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Step is what the table says of one route for one request.
type Step struct {
	Route   *Route
	Matched bool
	// Why not, one line per alternative; empty where it matched.
	Why []string
}

// Explain goes through the routes up to the one that Match returns and says
// why those before it did not match. It is not for the request path.
func (t *Table) Explain(properties []codec.Property, g Getter, b []byte, m *codec.Message) []Step {
	var mt Matcher
	mt.begin(len(t.refs))
	q := &query{t: t, mt: &mt, g: g, b: b, m: m}
	var steps []Step
	for _, r := range t.Routes {
		s := Step{Route: r, Matched: r.matches(q)}
		if !s.Matched {
			for i := range r.alternatives {
				s.Why = append(s.Why, r.alternatives[i].why(q, properties))
			}
		}
		steps = append(steps, s)
		if s.Matched {
			break
		}
	}
	return steps
}

func (a *alternative) why(q *query, properties []codec.Property) string {
	if a.never != "" {
		return a.never
	}
	var parts []string
	for i := range a.conditions {
		c := &a.conditions[i]
		v := q.value(c.ref)
		if c.holds(v) {
			continue
		}
		have := "absent"
		if v.ok {
			have = fmt.Sprintf("%q", v.v.Bytes)
		}
		parts = append(parts, fmt.Sprintf("attribute %s is %s, the rule asks for %s",
			codec.RefName(properties, q.t.refs[c.ref]), have, c))
	}
	return strings.Join(parts, "; ")
}

// Describe says what a route of the table asks for, one line per alternative;
// none: everything matches.
func (t *Table) Describe(r *Route, properties []codec.Property) []string {
	var lines []string
	for i := range r.alternatives {
		a := &r.alternatives[i]
		var parts []string
		if a.never != "" {
			parts = append(parts, "never: "+a.never)
		}
		for j := range a.conditions {
			c := &a.conditions[j]
			parts = append(parts, codec.RefName(properties, t.refs[c.ref])+" "+c.String())
		}
		lines = append(lines, strings.Join(parts, " and "))
	}
	return lines
}
