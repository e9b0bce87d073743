package compile

import (
	"fmt"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

type routerForm = resource.Form[*metarouterv1.MetaRouterSpec]

// routes is what a router gives each managed port of its host.
type routes struct {
	byPort map[uint32][]ir.Route
	// missing are the destinations that are not there.
	missing []string
}

// routing is where one route of one router is compiled for one port.
type routing struct {
	c         *compiler
	form      *routerForm
	port      *ir.Port
	protocol  Protocol
	found     *findings
	missing   *[]string
	namespace string
}

// router compiles a form for every managed port of its host.
func (c *compiler) router(f *routerForm) (routes, findings) {
	var found findings
	refuseUnsupported(&found, f.Spec)
	out := routes{byPort: map[uint32][]ir.Route{}}
	s := c.services[f.Spec.Hosts[0]]
	if s == nil {
		found.add(dependency, "spec.hosts[0]", reasonHostNotFound, "add a ServiceEntry with this host and a port named tcp-metaprotocol-<protocol>",
			"no managed service has host %q", f.Spec.Hosts[0])
		return out, found
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		r := &routing{c: c, form: f, port: p, protocol: s.protocols[p.Number], found: &found, missing: &out.missing, namespace: f.Key.Namespace}
		out.byPort[p.Number] = r.table(f.Spec.Routes)
	}
	return out, found
}

// refuseUnsupported: what would not be in force must not be accepted in
// silence; a rate limit that is not there is an outage that waits.
func refuseUnsupported(found *findings, spec *metarouterv1.MetaRouterSpec) {
	for _, u := range []struct {
		field string
		set   bool
	}{{"localRateLimit", spec.LocalRateLimit != nil}, {"globalRateLimit", spec.GlobalRateLimit != nil}} {
		if u.set {
			found.add(fault, "spec."+u.field, "NotSupportedYet", "remove it to have the routes in force", "not supported yet by this proxy: %s", u.field)
		}
	}
}

func (r *routing) table(in []metarouterv1.MetaRoute) []ir.Route {
	out := make([]ir.Route, 0, len(in))
	catchAll := -1
	for i := range in {
		at := fmt.Sprintf("spec.routes[%d]", i)
		if catchAll >= 0 {
			r.found.add(note, at, "Unreachable", "move it up", "no request gets here: spec.routes[%d] matches all", catchAll)
		}
		route := r.route(at, &in[i])
		if matchesAll(route.Matches) && catchAll < 0 {
			catchAll = i
		}
		if route.Name == "" {
			route.Name = fmt.Sprintf("%s/%s[%d]", r.form.Key.Namespace, r.form.Key.Name, i)
		}
		out = append(out, route)
	}
	if len(in) == 0 {
		r.found.add(note, "spec.routes", "NoRoutes", "add a route", "the router has no routes: every request is answered with \"no route\"")
	}
	return out
}

func (r *routing) route(at string, in *metarouterv1.MetaRoute) ir.Route {
	out := ir.Route{Name: in.Name, Matches: r.matches(at, in)}
	if in.Timeout != nil {
		out.Timeout = in.Timeout.Duration
	}
	for i, d := range in.Route {
		ref := ir.WeightedRef{Name: r.destination(fmt.Sprintf("%s.route[%d].destination", at, i), d.Destination), Weight: d.Weight}
		if len(in.Route) == 1 {
			ref.Weight = 100
		}
		out.Clusters = append(out.Clusters, ref)
	}
	out.Hash = r.hash(at, in)
	out.Mirror = r.mirror(at, in)
	out.Mutation = r.mutation(at, in)
	return out
}

// destination returns the name of the cluster. One that is not there is noted,
// and named all the same: a router in force keeps it.
func (r *routing) destination(at string, d *metarouterv1.Destination) string {
	s := r.c.services[d.Host]
	port := r.port.Number
	if d.Port != nil {
		port = d.Port.Number
	}
	if s == nil {
		r.found.add(dependency, at+".host", "DestinationNotFound", "add a ServiceEntry with this host", "no managed service has host %q", d.Host)
		return r.absent(ir.ClusterName(port, d.Subset, d.Host))
	}
	if !s.VisibleFrom(r.namespace) {
		r.found.add(dependency, at+".host", "DestinationNotVisible", "add the namespace to exportTo of "+s.meta.Key.String(), "%s is not exported to namespace %s", d.Host, r.namespace)
	}
	if d.Port == nil && s.Port(port) == nil && len(s.Ports) == 1 {
		port = s.Ports[0].Number
	}
	name := ir.ClusterName(port, d.Subset, d.Host)
	p := s.Port(port)
	switch {
	case p == nil:
		field := at + ".host"
		if d.Port != nil {
			field = at + ".port.number"
		}
		r.found.add(dependency, field, "PortNotFound", "managed ports are named tcp-metaprotocol-<protocol>", "%s has no managed port %d", d.Host, port)
	case p.Codec != r.port.Codec:
		r.found.add(dependency, at+".host", "ProtocolMismatch", "route to a port of the same protocol", "port %d of %s is %s, but the requests are %s", port, d.Host, p.Protocol, r.port.Protocol)
	case d.Subset == "":
		return name
	case s.rule == nil || !hasKey(s.rule.subsets, d.Subset):
		r.found.add(dependency, at+".subset", "SubsetNotFound", subsetAdvice(s), "%s has no subset %q", d.Host, d.Subset)
	case len(r.c.clusters[name].Endpoints) == 0:
		r.found.add(note, at+".subset", "EmptySubset", "give endpoints the subset's labels", "no endpoint of %s is in subset %q", d.Host, d.Subset)
		return name
	default:
		return name
	}
	return r.absent(name)
}

func (r *routing) absent(name string) string {
	*r.missing = append(*r.missing, name)
	return name
}

func hasKey[V any](m map[string]V, k string) bool { _, ok := m[k]; return ok }

func subsetAdvice(s *service) string {
	names := s.rule.subsetNames()
	if len(names) == 0 {
		return "add a DestinationRule with subsets in namespace " + s.Namespace
	}
	return fmt.Sprintf("its subsets are %v", names)
}
