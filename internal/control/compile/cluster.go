package compile

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// defaultConnectTimeout is used where no DestinationRule says otherwise.
const defaultConnectTimeout = 5 * time.Second

// compileClusters makes a cluster of every port of every service, and of every
// subset of it.
func (c *compiler) compileClusters() {
	for _, s := range c.services {
		for i := range s.Ports {
			p := &s.Ports[i]
			p.IdleTimeout = s.rule.idle(p.Number)
			c.cluster(s, p, "", nil)
			for _, name := range s.rule.subsetNames() {
				c.cluster(s, p, name, s.rule.subsets[name].labels)
			}
		}
	}
}

func (c *compiler) cluster(s *service, port *ir.Port, subset string, labels map[string]string) {
	policy := s.rule.policy(subset, port.Number)
	cl := ir.Cluster{Name: ir.ClusterName(port.Number, subset, s.Host), Discovery: s.discovery,
		LoadBalancer: policy.balancer, MinRing: policy.minRing, ConnectTimeout: policy.connectTimeout}
	cl.Endpoints = make([]ir.Endpoint, 0, len(s.endpoints))
	for i := range s.endpoints {
		if e := &s.endpoints[i]; hasLabels(e.labels, labels) {
			cl.Endpoints = append(cl.Endpoints, ir.Endpoint{Address: e.address, Port: e.port(port), Weight: e.weight})
		}
	}
	slices.SortFunc(cl.Endpoints, compareEndpoints)
	cl.Endpoints = merge(cl.Endpoints)
	c.clusters[cl.Name] = cl
}

// merge adds up the weights of an address that is there more than once, in
// place.
func merge(sorted []ir.Endpoint) []ir.Endpoint {
	out := sorted[:0]
	for _, e := range sorted {
		if n := len(out) - 1; n >= 0 && out[n].Address == e.Address && out[n].Port == e.Port {
			out[n].Weight = uint32(min(uint64(out[n].Weight)+uint64(e.Weight), math.MaxUint32))
			continue
		}
		out = append(out, e)
	}
	return out
}

func compareEndpoints(a, b ir.Endpoint) int {
	return cmp.Or(strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Weight, b.Weight))
}

// missingCluster stands for a destination that is gone while a router that was
// accepted with it stays in force: requests get "no healthy upstream".
func (c *compiler) missingCluster(name string) {
	if _, there := c.clusters[name]; !there {
		c.clusters[name] = ir.Cluster{Name: name, Discovery: ir.Static, LoadBalancer: ir.LeastRequest, ConnectTimeout: defaultConnectTimeout}
	}
}
