package cluster

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// unknown is the set of a cluster that does not exist.
var unknown = &engine.EndpointSet{}

// cluster implements engine.Cluster.
type cluster struct {
	name string
	d    *Directory
	set  atomic.Pointer[engine.EndpointSet] // never nil; stored under mu

	mu    sync.Mutex
	spec  *Spec            // nil: does not exist
	hosts map[string]*host // by name, those that are being resolved
	ring  ringSize         // that the current set was built for
}

type ringSize struct{ min, max int }

// Endpoints implements engine.Cluster.
func (c *cluster) Endpoints() *engine.EndpointSet { return c.set.Load() }

// Report implements engine.Cluster. Nothing learns from outcomes yet: outlier
// detection will, here, because ejections hold for the whole process.
func (c *cluster) Report(engine.ConnID, engine.Outcome) {}

func (c *cluster) configure(s Spec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec = &s
	c.resolve(s.Hosts)
	if len(s.Hosts) > 0 {
		c.publishResolved()
	}
	if old := c.set.Load(); old.Known {
		c.store(old.Endpoints)
	}
}

func (c *cluster) assign(endpoints []Endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spec != nil && len(c.spec.Hosts) == 0 {
		c.publish(endpoints)
	}
}

func (c *cluster) remove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec = nil
	c.resolve(nil)
	for _, e := range c.set.Swap(unknown).Endpoints {
		e.Gone.Store(true)
	}
}

// publish puts endpoints in force, in the order of their addresses. One that is
// listed twice has the sum of its weights. The Endpoint of an address is kept
// unless the weight, which workers read without synchronization, changes.
func (c *cluster) publish(endpoints []Endpoint) {
	weights := make(map[netip.AddrPort]uint32, len(endpoints))
	addrs := make([]netip.AddrPort, 0, len(endpoints))
	for _, e := range endpoints {
		sum, listed := weights[e.Addr]
		if !listed {
			addrs = append(addrs, e.Addr)
		}
		if sum += e.Weight; sum < e.Weight {
			sum = 1<<32 - 1
		}
		weights[e.Addr] = sum
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	old := map[netip.AddrPort]*engine.Endpoint{}
	for _, e := range c.set.Load().Endpoints {
		old[e.Addr] = e
	}
	now := make([]*engine.Endpoint, len(addrs))
	for i, a := range addrs {
		if e := old[a]; e != nil && e.Weight == weights[a] {
			now[i] = e
			delete(old, a)
		} else {
			now[i] = &engine.Endpoint{Addr: a, Weight: weights[a]}
		}
	}
	c.store(now)
	for _, e := range old {
		e.Gone.Store(true)
	}
}

// store makes the set of these endpoints, unless it is in force already:
// workers prepare anew for every set that they see.
func (c *cluster) store(endpoints []*engine.Endpoint) {
	s, old := c.spec, c.set.Load()
	size := ringSize{orDefault(s.MinRing, DefaultMinRing), orDefault(s.MaxRing, DefaultMaxRing)}
	same := old.Known && slices.Equal(old.Endpoints, endpoints)
	sameRing := same && s.Policy == old.Policy && (s.Policy != engine.RingHash || size == c.ring)
	if sameRing && s.ConnectTimeout == old.ConnectTimeout {
		return
	}
	set := &engine.EndpointSet{Known: true, Policy: s.Policy, ConnectTimeout: s.ConnectTimeout, Endpoints: endpoints}
	if s.Policy == engine.RingHash {
		set.Ring = old.Ring
		if !sameRing {
			set.Ring = buildRing(endpoints, size.min, size.max)
		}
		c.ring = size
	}
	c.set.Store(set)
	if !old.Known {
		select {
		case c.d.ready <- struct{}{}:
		default: // the reader has not taken the last one yet
		}
	}
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func (c *cluster) status() (Status, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spec == nil {
		return Status{}, false
	}
	s := Status{
		Name:      c.name,
		Policy:    [...]string{"round_robin", "least_request", "ring_hash", "random"}[c.spec.Policy&3],
		Endpoints: []EndpointStatus{},
	}
	for _, e := range c.set.Load().Endpoints {
		s.Endpoints = append(s.Endpoints, EndpointStatus{Address: e.Addr.String(), Weight: e.Weight, Active: e.Active.Load()})
	}
	for _, h := range c.hosts {
		s.DNS = append(s.DNS, h.status())
	}
	slices.SortFunc(s.DNS, func(a, b HostStatus) int { return strings.Compare(a.Host, b.Host) })
	return s, true
}
