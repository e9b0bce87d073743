package sim

import (
	"math/rand/v2"
	"net/netip"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Clusters are the clusters of a Net, set by the test.
type Clusters struct {
	balanced bool // as in Envoy: workers do not see the endpoints
	list     []*Cluster
}

// Cluster is one of them.
type Cluster struct {
	Name string
	// Outcomes counts what workers reported, by engine.Outcome.
	Outcomes [3]int

	balanced bool
	set      *engine.EndpointSet
}

// Get returns the cluster of this name, which need not exist.
func (cs *Clusters) Get(name string) *Cluster {
	for _, c := range cs.list {
		if c.Name == name {
			return c
		}
	}
	c := &Cluster{Name: name, balanced: cs.balanced, set: &engine.EndpointSet{}}
	cs.list = append(cs.list, c)
	return c
}

// Cluster answers engine.Driver.Cluster.
func (cs *Clusters) Cluster(name string) engine.Cluster { return cs.Get(name) }

// Set replaces the endpoints, keeping the values of addresses that stay and
// marking the others gone. policy and timeouts other than the default are set
// with Replace.
func (c *Cluster) Set(policy engine.Policy, addrs ...netip.AddrPort) {
	set := &engine.EndpointSet{Known: true, Policy: policy}
	for _, a := range addrs {
		set.Endpoints = append(set.Endpoints, c.endpoint(a))
	}
	c.Replace(set)
}

// endpoint returns the present value of an address, or a new one.
func (c *Cluster) endpoint(a netip.AddrPort) *engine.Endpoint {
	for _, e := range c.set.Endpoints {
		if e.Addr == a {
			return e
		}
	}
	return &engine.Endpoint{Addr: a, Weight: 1}
}

// Replace replaces the whole set and marks endpoints that are gone.
func (c *Cluster) Replace(set *engine.EndpointSet) {
	for _, old := range c.set.Endpoints {
		stays := false
		for _, e := range set.Endpoints {
			stays = stays || e == old
		}
		if !stays {
			old.Gone.Store(true)
		}
	}
	c.set = set
}

// Endpoints implements engine.Cluster.
func (c *Cluster) Endpoints() *engine.EndpointSet {
	if c.balanced {
		return nil
	}
	return c.set
}

// Report implements engine.Cluster.
func (c *Cluster) Report(_ engine.ConnID, o engine.Outcome) { c.Outcomes[o]++ }

// pick chooses as Envoy's cluster would; nil if there is none to choose.
func (cs *Clusters) pick(r *rand.Rand, t engine.Target) *engine.Endpoint {
	eps := cs.Get(t.Cluster).set.Endpoints
	switch {
	case len(eps) == 0:
		return nil
	case t.Hash != 0:
		return eps[t.Hash%uint64(len(eps))]
	}
	return eps[r.IntN(len(eps))]
}
