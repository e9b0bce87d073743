package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// contender is a router that is fit, for the host that it names.
type contender struct {
	form *routerForm
	made routes
	won  bool
}

// compileRouters gives every port of every service its route tables.
//
// A router in its host's own namespace governs every client; one in the root
// namespace likewise, at lower precedence; one elsewhere governs only clients
// of its own namespace, at the lowest. Of equals the oldest wins. Clients of a
// namespace for which another router wins than for the rest have a table of
// their own. Nobody's router governs inbound traffic: rules run at the client.
func (c *compiler) compileRouters(objects []resource.Object[*metarouterv1.MetaRouterSpec]) {
	byHost := map[string][]*contender{}
	for _, o := range objects {
		if ch, ok := choose(c, o, "the service serves its default route", c.router); ok {
			host := ch.form.Spec.Hosts[0]
			byHost[host] = append(byHost[host], &contender{form: ch.form, made: ch.made})
		}
	}
	for _, host := range slices.Sorted(maps.Keys(c.services)) {
		s, contenders := c.services[host], byHost[host]
		slices.SortFunc(contenders, func(a, b *contender) int {
			if d := c.tier(s, a) - c.tier(s, b); d != 0 {
				return d
			}
			return a.form.Older(&b.form.Meta)
		})
		c.meshTables(s, contenders)
		c.gatewayTables(s, contenders)
		c.tellLosers(s, contenders)
	}
}

// tier is the precedence of the router's namespace; the lowest goes first.
func (c *compiler) tier(s *service, r *contender) int {
	switch {
	case c.options.MeshScopedRouters || r.form.Key.Namespace == s.Namespace:
		return 0
	case r.form.Key.Namespace == c.options.RootNamespace:
		return 1
	}
	return 2
}

// governs reports whether the router may govern clients of the namespace; ""
// stands for any that nobody names.
func (c *compiler) governs(s *service, r *contender, client string) bool {
	if c.tier(s, r) == 2 && client != r.form.Key.Namespace {
		return false
	}
	allowed := exportTo(r.form.Spec.ExportTo, r.form.Key.Namespace)
	return slices.Contains(allowed, "*") || slices.Contains(allowed, client)
}

func (c *compiler) winner(s *service, contenders []*contender, client string) *contender {
	for _, r := range contenders {
		if c.governs(s, r, client) {
			return r
		}
	}
	return nil
}

// inMesh: a router without gateways is for the clients' own proxies.
func inMesh(r *contender) bool {
	return len(r.form.Spec.Gateways) == 0 || slices.Contains(r.form.Spec.Gateways, "mesh")
}

func (c *compiler) meshTables(s *service, all []*contender) {
	contenders := slices.DeleteFunc(slices.Clone(all), func(r *contender) bool { return !inMesh(r) })
	rest := c.winner(s, contenders, "")
	for i := range s.Ports {
		p := &s.Ports[i]
		c.addTable(s, p, p.Table, rest)
		for _, namespace := range namedNamespaces(contenders) {
			if w := c.winner(s, contenders, namespace); w != rest && s.VisibleFrom(namespace) {
				t := ir.NamespaceTable{Namespace: namespace, Table: p.Table + "~" + namespace}
				p.Tables = append(p.Tables, t)
				c.addTable(s, p, t.Table, w)
			}
		}
	}
}

// namedNamespaces are those for which another router may win than for the rest.
func namedNamespaces(contenders []*contender) []string {
	var out []string
	for _, r := range contenders {
		out = append(out, r.form.Key.Namespace)
		for _, n := range exportTo(r.form.Spec.ExportTo, r.form.Key.Namespace) {
			if n != "*" {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *compiler) gatewayTables(s *service, contenders []*contender) {
	for _, gateway := range gatewayNames(contenders) {
		namespace, _, _ := strings.Cut(gateway, "/")
		var w *contender
		for _, r := range contenders {
			if slices.Contains(gatewaysOf(r), gateway) && c.governs(s, r, namespace) {
				w = r
				break
			}
		}
		if w == nil {
			continue
		}
		for i := range s.Ports {
			p := &s.Ports[i]
			if first := c.gatewayHost(gateway, p.Number); first != "" {
				w.won = true // told here
				c.report(&w.form.Meta, findings{{weight: dependency, field: "spec.gateways", reason: "Conflicted", next: "give the services different ports",
					message: fmt.Sprintf("port %d of gateway %s serves host %s already", p.Number, gateway, first)}})
				continue
			}
			name := "gateway|" + gateway + "|" + ir.TableName(s.Host, p.Number)
			c.mesh.Gateways = append(c.mesh.Gateways, ir.Gateway{Name: gateway, Port: p.Number, Table: name, Host: s.Host, Codec: p.Codec})
			c.addTable(s, p, name, w)
		}
	}
}

// gatewayHost returns the host that the gateway's port serves already: a
// connection says nothing of the host that it is for, so there is but one.
func (c *compiler) gatewayHost(gateway string, port uint32) string {
	for _, g := range c.mesh.Gateways {
		if g.Name == gateway && g.Port == port {
			return g.Host
		}
	}
	return ""
}

func gatewayNames(contenders []*contender) []string {
	var out []string
	for _, r := range contenders {
		out = append(out, gatewaysOf(r)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// gatewaysOf returns the gateways as namespace/name.
func gatewaysOf(r *contender) []string {
	var out []string
	for _, g := range r.form.Spec.Gateways {
		if g == "mesh" {
			continue
		}
		if !strings.Contains(g, "/") {
			g = r.form.Key.Namespace + "/" + g
		}
		out = append(out, g)
	}
	return out
}

// addTable makes the table out of the router's routes or, without one, of the
// default route: everything to the service, with no timeout.
func (c *compiler) addTable(s *service, p *ir.Port, name string, r *contender) {
	t := ir.RouteTable{Name: name}
	if r == nil {
		cluster := ir.ClusterName(p.Number, "", s.Host)
		t.Routes = []ir.Route{{Name: "default", Clusters: []ir.WeightedRef{{Name: cluster, Weight: 100}},
			Hash: c.clusterHash(p.Number, &metarouterv1.Destination{Host: s.Host})}}
	} else {
		r.won = true
		t.Router = r.form.Key.Namespace + "/" + r.form.Key.Name
		t.Routes = r.made.byPort[p.Number]
		for _, m := range r.made.missing {
			c.missingCluster(m)
		}
	}
	c.mesh.RouteTables = append(c.mesh.RouteTables, t)
}

// tellLosers reports the routers that govern no client.
func (c *compiler) tellLosers(s *service, contenders []*contender) {
	for _, r := range contenders {
		if r.won {
			continue
		}
		i := slices.IndexFunc(contenders, func(w *contender) bool { return w.won })
		switch {
		case i < 0:
			c.refuse(&r.form.Meta, conflict("spec.exportTo", "GovernsNobody", "see exportTo here and of "+s.meta.Key.String(), "no client that sees host %s is one that the router may govern", s.Host))
		case c.tier(s, contenders[i]) == c.tier(s, r):
			c.refuse(&r.form.Meta, conflict("spec.hosts[0]", "Conflicted", "put the routes into one router",
				"%s routes host %s already: the oldest wins, then the first by name", contenders[i].form.Key, s.Host))
		default:
			c.refuse(&r.form.Meta, conflict("spec.hosts[0]", "Overridden", "ask the owner of namespace "+s.Namespace, "%s has precedence for host %s", contenders[i].form.Key, s.Host))
		}
	}
}
