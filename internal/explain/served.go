package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
)

// Served is what one proxy gets.
type Served struct {
	// Resources by type, in the order in which they are sent, then by name.
	Resources []xds.Resource
	// Problems are what it asks for and does not get.
	Problems []xds.Problem
}

// ForProxy returns the resources that the proxy would subscribe to: its
// listeners, their route configurations, the clusters that these name, and
// their endpoints.
func ForProxy(r *controller.Result, n *corev3.Node) (*Served, error) {
	node, err := xds.ParseNode(n)
	if err != nil {
		return nil, err
	}
	made := xds.ForProxy(r.Mesh, node, r.Resources)
	c := &closure{withheld: made.Withheld, have: map[id]*xds.Resource{}, taken: map[id]bool{}}
	for _, resources := range [][]xds.Resource{r.Resources, made.Own} {
		for i := range resources {
			c.have[id{resources[i].Type, resources[i].Name}] = &resources[i]
		}
	}
	for i := range made.Own {
		if l, ok := made.Own[i].Message.(*listenerv3.Listener); ok {
			if err := c.listener(l); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(c.out, func(a, b xds.Resource) int {
		return cmp.Or(cmp.Compare(slices.Index(sendOrder, a.Type), slices.Index(sendOrder, b.Type)), strings.Compare(a.Name, b.Name))
	})
	return &Served{Resources: c.out, Problems: made.Problems}, nil
}

var sendOrder = []string{xds.ListenerType, xds.RouteType, xds.ClusterType, xds.EndpointType}

type id struct{ typeURL, name string }

// closure collects what listeners lead to.
type closure struct {
	withheld map[string]string
	have     map[id]*xds.Resource
	taken    map[id]bool
	out      []xds.Resource
}

// take adds the resource; nil: there is none, or it is there already.
func (c *closure) take(typeURL, name string) *xds.Resource {
	k := id{typeURL, name}
	r := c.have[k]
	if r == nil || c.taken[k] {
		return nil
	}
	c.taken[k] = true
	c.out = append(c.out, *r)
	return r
}

func (c *closure) listener(l *listenerv3.Listener) error {
	c.take(xds.ListenerType, l.GetName())
	for _, chain := range l.GetFilterChains() {
		for _, f := range chain.GetFilters() {
			mp := &proxyv1.MetaProtocol{}
			if err := f.GetTypedConfig().UnmarshalTo(mp); err != nil {
				return fmt.Errorf("listener %q: %w", l.GetName(), err)
			}
			c.table(mp.GetRouteConfigName())
		}
	}
	return nil
}

func (c *closure) table(name string) {
	if _, withheld := c.withheld[name]; withheld {
		return
	}
	r := c.take(xds.RouteType, name)
	if r == nil {
		return
	}
	rc, ok := r.Message.(*proxyv1.RouteConfiguration)
	if !ok {
		return
	}
	for _, route := range rc.GetRoutes() {
		for _, w := range route.GetClusters() {
			c.cluster(w.GetName())
		}
		for _, f := range route.GetFilters() {
			// The mirror's configuration is the one that names a cluster.
			if name := f.GetConfig().GetFields()["cluster"].GetStringValue(); name != "" {
				c.cluster(name)
			}
		}
	}
}

func (c *closure) cluster(name string) {
	c.take(xds.ClusterType, name)
	c.take(xds.EndpointType, name)
}
