package explain

import (
	"fmt"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// Explain says what becomes of the request that the question describes. The
// answer is the engine's own route table's; filters are those that routes may
// name. The error is one sentence for the
// user who asked.
func Explain(r *controller.Result, filters []filter.Filter, q Question) (*Answer, error) {
	at, err := find(r, &q)
	if err != nil {
		return nil, err
	}
	named := names(at.table)
	for name := range q.Attributes {
		named = append(named, name)
	}
	properties, open := properties(r, at.port, named)
	req, attributes, err := describe(properties, q.Attributes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.port.Protocol, err)
	}
	t, err := routeTable(r, at, &q, route.Options{Protocol: &schemaProtocol{at.port.Codec, properties}, Filters: filters})
	if err != nil {
		return nil, err
	}
	a := &Answer{Host: at.service.Host, Port: at.port.Number, Protocol: at.port.Protocol, Table: at.table.Name,
		Router: at.table.Router, Gateway: q.Gateway, Caller: q.Caller, Request: attributes}
	if open {
		a.note("nobody told the properties of codec %q, so attributes are not checked; add what \"describe\" of a proxy with it prints", at.port.Codec)
	}
	a.tellRefused(r)
	taken, err := match(t, properties, req)
	if err != nil {
		return nil, err
	}
	a.steps(taken.steps, at.table, locate(r, at.table))
	if taken.route == nil {
		a.note("no route matches: the request is answered with the protocol's \"no route\" reply")
		return a, nil
	}
	a.outcome(r.Mesh, taken.route, &at.table.Routes[taken.route.Index], req, properties)
	return a, nil
}

// routeTable compiles the table of the place as a proxy of the caller would.
func routeTable(r *controller.Result, at place, q *Question, o route.Options) (*route.Table, error) {
	var rc *proxyv1.RouteConfiguration
	for i := range r.Resources {
		if r.Resources[i].Type == xds.RouteType && r.Resources[i].Name == at.table.Name {
			rc, _ = r.Resources[i].Message.(*proxyv1.RouteConfiguration)
		}
	}
	if rc == nil {
		return nil, fmt.Errorf("explain: route table %q is not served", at.table.Name)
	}
	if q.Caller != nil && q.Gateway == "" {
		o.Source = route.Source{Namespace: q.Caller.Namespace, Labels: q.Caller.Labels, Known: true}
	}
	t, err := route.Compile(rc, o)
	if err != nil {
		return nil, fmt.Errorf("a proxy would refuse this: %w", err)
	}
	return t, nil
}

// tellRefused notes the routers of the host whose present form is not in force.
func (a *Answer) tellRefused(r *controller.Result) {
	for _, o := range r.Snapshot.MetaRouters {
		if o.Current == nil || len(o.Current.Spec.Hosts) == 0 || o.Current.Spec.Hosts[0] != a.Host {
			continue
		}
		if s := r.Status(o.Key.Diag()); s != nil && !s.Accepted {
			a.note("%s is not in force as it is written: %s", o.Key, s.Message)
		}
	}
}

// taken is what the table says.
type taken struct {
	route *route.Route
	steps []route.Step
}

// match asks the table twice, as the request path does and for the reasons;
// the two must agree.
func match(t *route.Table, properties []codec.Property, req request) (taken, error) {
	var m codec.Message
	out := taken{route: t.Match(&route.Matcher{}, req, nil, &m), steps: t.Explain(properties, req, nil, &m)}
	var told *route.Route
	if n := len(out.steps); n > 0 && out.steps[n-1].Matched {
		told = out.steps[n-1].Route
	}
	if told != out.route {
		return taken{}, fmt.Errorf("explain: the route table %s contradicts itself about this request; please report it", t.Name)
	}
	return out, nil
}

// locate returns where a field of the table's router is; of a table without
// router, nowhere.
func locate(r *controller.Result, t *ir.RouteTable) func(field string) (file string, line int) {
	for _, o := range r.Snapshot.MetaRouters {
		if o.Key.Namespace+"/"+o.Key.Name != t.Router {
			continue
		}
		if f := inForce(r, o); f != nil {
			return located(&f.Meta)
		}
	}
	return func(string) (string, int) { return "", 0 }
}

func located(m *resource.Meta) func(field string) (file string, line int) {
	return func(field string) (string, int) { return m.File, m.At(field) }
}
