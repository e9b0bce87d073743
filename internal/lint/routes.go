package lint

import (
	"fmt"
	"slices"
	"strings"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// routes looks at every router in force.
func (l *linter) routes() {
	for _, o := range l.r.Snapshot.MetaRouters {
		f := current(l, o)
		if f == nil {
			continue
		}
		l.routeNames(f)
		for i := range f.Spec.Routes {
			l.weights(f, i)
			l.regexes(f, i)
		}
		for i := range l.r.Mesh.RouteTables {
			if t := &l.r.Mesh.RouteTables[i]; t.Router == f.Key.Namespace+"/"+f.Key.Name {
				l.shadowed(f, t)
			}
		}
	}
}

type routerForm = resource.Form[*metarouterv1.MetaRouterSpec]

func at(i int) string { return fmt.Sprintf("spec.routes[%d]", i) }

func (l *linter) routeNames(f *routerForm) {
	first := map[string]int{}
	for i := range f.Spec.Routes {
		name := f.Spec.Routes[i].Name
		if name == "" {
			continue
		}
		if before, twice := first[name]; twice {
			l.add(&f.Meta, finding{diag.Warning, at(i) + ".name", "DuplicateRouteName", "give it a name of its own"},
				"%s has the name %q too: logs and explain cannot tell them apart", at(before), name)
			continue
		}
		first[name] = i
	}
}

func (l *linter) weights(f *routerForm, i int) {
	route := f.Spec.Routes[i].Route
	for j, d := range route {
		if len(route) > 1 && d.Weight == 0 && d.Destination != nil {
			l.add(&f.Meta, finding{diag.Info, fmt.Sprintf("%s.route[%d].weight", at(i), j), "WeightZero", "give it a weight, or remove it"},
				"%s gets no request, as its weight is 0", destinationText(d.Destination))
		}
	}
}

func destinationText(d *metarouterv1.Destination) string {
	if d.Subset == "" {
		return d.Host
	}
	return fmt.Sprintf("subset %q of %s", d.Subset, d.Host)
}

// regexes tells of patterns that look as if they were to be found somewhere in
// the value. Envoy's and Istio's match the whole value, and so do ours.
func (l *linter) regexes(f *routerForm, i int) {
	tell := func(field string, m *metarouterv1.MetaRouteMatch) {
		for name, v := range m.Attributes {
			if v.Regex == nil || anchored(*v.Regex) {
				continue
			}
			l.add(&f.Meta, finding{diag.Info, field + ".attributes." + name, "WholeValueRegex", fmt.Sprintf("write .*(%s).* to find it anywhere, or ^(%[1]s)$ to say that the whole is meant", *v.Regex)},
				"regex %q must match the whole value", *v.Regex)
		}
	}
	r := &f.Spec.Routes[i]
	if r.Match != nil {
		tell(at(i)+".match", r.Match)
	}
	for j := range r.Matches {
		tell(fmt.Sprintf("%s.matches[%d]", at(i), j), &r.Matches[j])
	}
}

// anchored: either end says how far the pattern goes.
func anchored(regex string) bool {
	return slices.ContainsFunc([]string{"^", `\A`, ".*", ".+"}, func(s string) bool { return strings.HasPrefix(regex, s) }) ||
		slices.ContainsFunc([]string{"$", `\z`, ".*", ".+"}, func(s string) bool { return strings.HasSuffix(regex, s) })
}

// shadowed finds routes that no request gets to, because each of their
// alternatives is covered by one of a route before. Routes behind one that
// matches all are told by compile.
func (l *linter) shadowed(f *routerForm, t *ir.RouteTable) {
	var before []alternative
	for i := range t.Routes {
		r := &t.Routes[i]
		if len(r.Matches) == 0 {
			return
		}
		var by []int // the routes that cover it
		for j := range r.Matches {
			k := slices.IndexFunc(before, func(a alternative) bool { return covers(a.match, &r.Matches[j]) })
			if k < 0 {
				by = nil
				break
			}
			by = append(by, before[k].route)
		}
		if len(by) > 0 {
			l.add(&f.Meta, finding{diag.Warning, at(i), "ShadowedRoute", "move it before " + at(slices.Min(by)) + ", or remove it"},
				"no request gets here: what it asks for is taken by %s", routesText(by, t))
		}
		for j := range r.Matches {
			before = append(before, alternative{i, &r.Matches[j]})
		}
	}
}

func routesText(routes []int, t *ir.RouteTable) string {
	slices.Sort(routes)
	var parts []string
	for _, i := range slices.Compact(routes) {
		parts = append(parts, fmt.Sprintf("%s (%s)", at(i), t.Routes[i].Name))
	}
	return strings.Join(parts, " and ")
}

// alternative is one match of a route.
type alternative struct {
	route int
	match *ir.Match
}
