package route

import (
	"fmt"
	"regexp"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Options is what a RouteConfiguration is compiled for.
type Options struct {
	Protocol codec.Protocol
	Filters  []filter.Filter // those that routes may name
	Source   Source          // the workload whose requests arrive
}

// Source is the calling workload. Known is false where any workload may call
// (gateways, inbound listeners): no source match holds there.
type Source struct {
	Namespace string
	Labels    map[string]string
	Known     bool
}

// maxRegex bounds a pattern's length in bytes; RE2 runs in linear time, but
// its program grows with repetition counts.
const maxRegex = 1024

// indexFrom is the number of routes above which an index pays.
const indexFrom = 4

// Compile checks a RouteConfiguration and prepares it for matching. The error
// names the route and the field at fault, with its value.
func Compile(rc *proxyv1.RouteConfiguration, o Options) (*Table, error) {
	c := compiler{o: o, t: &Table{Name: rc.GetName()}, properties: o.Protocol.Properties()}
	for i, r := range rc.GetRoutes() {
		if err := c.route(i, r); err != nil {
			return nil, fmt.Errorf("route configuration %s: routes[%d] (%s): %w", rc.GetName(), i, r.GetName(), err)
		}
	}
	c.t.want = codec.NewWant(append(slices.Clone(c.t.refs), c.requestRefs...)...)
	c.t.reply = codec.NewWant(c.replyRefs...)
	c.t.index = makeIndex(c.t)
	return c.t, nil
}

// Empty returns a table without routes: every request gets a "no route" reply.
func Empty(name string) *Table {
	return &Table{Name: name, want: codec.NewWant(), reply: codec.NewWant()}
}

type compiler struct {
	o                      Options
	t                      *Table
	properties             []codec.Property
	requestRefs, replyRefs []codec.Ref
}

func (c *compiler) route(i int, in *proxyv1.Route) error {
	r := &Route{Index: i, Name: in.GetName(), Timeout: in.GetTimeout().AsDuration()}
	if r.Timeout < 0 {
		return fmt.Errorf("timeout: %s is negative", r.Timeout)
	}
	for j, m := range in.GetMatches() {
		a, err := c.alternative(m)
		if err != nil {
			return fmt.Errorf("matches[%d].%w", j, err)
		}
		r.alternatives = append(r.alternatives, a)
	}
	if err := c.clusters(r, in); err != nil {
		return err
	}
	for j, h := range in.GetHashPolicy() {
		if err := c.hash(r, h); err != nil {
			return fmt.Errorf("hash_policy[%d]: %w", j, err)
		}
	}
	for j, f := range in.GetFilters() {
		if err := c.filter(r, f); err != nil {
			return fmt.Errorf("filters[%d] (%s): %w", j, f.GetName(), err)
		}
	}
	c.t.Routes = append(c.t.Routes, r)
	return nil
}

func (c *compiler) clusters(r *Route, in *proxyv1.Route) error {
	for j, w := range in.GetClusters() {
		if w.GetName() == "" {
			return fmt.Errorf("clusters[%d].name: is empty", j)
		}
		r.Clusters = append(r.Clusters, WeightedCluster{Name: w.GetName(), Weight: w.GetWeight()})
		r.Total += uint64(w.GetWeight())
	}
	if r.Total == 0 {
		return fmt.Errorf("clusters: the weights of %d clusters add up to 0", len(r.Clusters))
	}
	return nil
}

func (c *compiler) hash(r *Route, h *proxyv1.HashPolicy) error {
	if h.GetSourceAddress() {
		r.Hash = append(r.Hash, HashPolicy{SourceAddress: true})
		return nil
	}
	ref, err := codec.FindProperty(c.properties, h.GetProperty())
	if err != nil {
		return err
	}
	r.Hash = append(r.Hash, HashPolicy{Ref: ref})
	c.requestRefs = append(c.requestRefs, ref)
	return nil
}

func (c *compiler) filter(r *Route, in *proxyv1.Filter) error {
	i := slices.IndexFunc(c.o.Filters, func(f filter.Filter) bool { return f.Name() == in.GetName() })
	if i < 0 {
		return fmt.Errorf("name: this proxy has no such filter")
	}
	config := []byte("{}")
	if in.GetConfig() != nil {
		var err error
		if config, err = protojson.Marshal(in.GetConfig()); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	inst, err := c.o.Filters[i].Parse(config, c.o.Protocol)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	base := len(r.CopyClusters)
	r.CopyClusters = append(r.CopyClusters, inst.Clusters()...)
	if f, ok := inst.(filter.RequestFilter); ok {
		r.Requests = append(r.Requests, BoundFilter{Filter: f, Base: base})
		c.requestRefs = append(c.requestRefs, inst.Refs()...)
	}
	if f, ok := inst.(filter.ReplyFilter); ok {
		r.Replies = append(r.Replies, f)
		c.replyRefs = append(c.replyRefs, inst.Refs()...)
	}
	return nil
}

func (c *compiler) alternative(m *proxyv1.Match) (alternative, error) {
	a := alternative{never: c.sourceMismatch(m.GetSource())}
	for i, p := range m.GetProperties() {
		cond, err := c.condition(p)
		if err != nil {
			return a, fmt.Errorf("properties[%d]: %w", i, err)
		}
		a.conditions = append(a.conditions, cond)
	}
	return a, nil
}

func (c *compiler) sourceMismatch(s *proxyv1.SourceMatch) string {
	if s == nil || s.GetNamespace() == "" && len(s.GetLabels()) == 0 {
		return ""
	}
	if !c.o.Source.Known {
		return "the calling workload is not known on this listener"
	}
	if s.GetNamespace() != "" && s.GetNamespace() != c.o.Source.Namespace {
		return fmt.Sprintf("the caller's namespace is %q, not %q", c.o.Source.Namespace, s.GetNamespace())
	}
	keys := make([]string, 0, len(s.GetLabels()))
	for k := range s.GetLabels() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if have, ok := c.o.Source.Labels[k]; !ok || have != s.GetLabels()[k] {
			return fmt.Sprintf("the caller's label %s is %q, not %q", k, have, s.GetLabels()[k])
		}
	}
	return ""
}

func (c *compiler) condition(p *proxyv1.PropertyMatch) (condition, error) {
	ref, err := codec.FindProperty(c.properties, p.GetProperty())
	if err != nil {
		return condition{}, err
	}
	cond := condition{ref: c.ref(ref), invert: p.GetInvert()}
	switch m := p.GetMatch().(type) {
	case *proxyv1.PropertyMatch_Exact:
		cond.test, cond.text = exact, []byte(m.Exact)
	case *proxyv1.PropertyMatch_Prefix:
		cond.test, cond.text = prefix, []byte(m.Prefix)
	case *proxyv1.PropertyMatch_Suffix:
		cond.test, cond.text = suffix, []byte(m.Suffix)
	case *proxyv1.PropertyMatch_Regex:
		cond.test, cond.text = regex, []byte(m.Regex)
		cond.re, err = compileRegex(m.Regex)
	case *proxyv1.PropertyMatch_Present:
		if cond.test = present; !m.Present {
			cond.test = absent
		}
	case *proxyv1.PropertyMatch_Range:
		cond.test, cond.start, cond.end = inRange, m.Range.GetStart(), m.Range.GetEnd()
		if cond.start >= cond.end {
			err = fmt.Errorf("range [%d, %d) is empty", cond.start, cond.end)
		}
	default:
		err = fmt.Errorf("attribute %q is compared with nothing", p.GetProperty())
	}
	return cond, err
}

func compileRegex(s string) (*regexp.Regexp, error) {
	if len(s) > maxRegex {
		return nil, fmt.Errorf("regex of %d bytes is over %d", len(s), maxRegex)
	}
	if _, err := regexp.Compile(s); err != nil {
		return nil, fmt.Errorf("regex %q: %w", s, err)
	}
	return regexp.Compile(`\A(?:` + s + `)\z`)
}

func (c *compiler) ref(r codec.Ref) int {
	if i := slices.Index(c.t.refs, r); i >= 0 {
		return i
	}
	c.t.refs = append(c.t.refs, r)
	return len(c.t.refs) - 1
}

// makeIndex indexes the property that most routes compare for equality in
// every one of their alternatives.
func makeIndex(t *Table) index {
	if len(t.Routes) < indexFrom {
		return index{}
	}
	best := index{}
	for ref := range t.refs {
		x := index{ref: ref, routes: map[string][]int32{}}
		for i, r := range t.Routes {
			x.add(int32(i), r)
		}
		if best.routes == nil || len(x.rest) < len(best.rest) {
			best = x
		}
	}
	if best.routes == nil || len(best.rest) > len(t.Routes)/2 {
		return index{}
	}
	return best
}

func (x *index) add(at int32, r *Route) {
	var values []string
	for _, a := range r.alternatives {
		i := slices.IndexFunc(a.conditions, func(c condition) bool {
			return c.ref == x.ref && c.test == exact && !c.invert
		})
		if i < 0 {
			values = nil
			break
		}
		values = append(values, string(a.conditions[i].text))
	}
	if len(values) == 0 {
		x.rest = append(x.rest, at)
		return
	}
	slices.Sort(values)
	for _, v := range slices.Compact(values) {
		x.routes[v] = append(x.routes[v], at)
	}
}
