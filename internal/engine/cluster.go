package engine

import (
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/aeraki-mesh/aeraki/codec"
)

// cluster is one listener's view of a cluster on one worker: its endpoints'
// pools, and where the balancing stands.
type cluster struct {
	name  string
	c     Cluster
	lis   *listener
	set   *EndpointSet // that pools were made for; nil: the driver's cluster chooses
	pools []*pool      // as set.Endpoints, or one
	pick  picker

	copies, copied int // mirrored requests in flight, and their bytes
}

const defaultConnectTimeout = 5 * time.Second

// cluster returns l's state of the cluster with this name.
func (w *Worker) cluster(l *listener, name string) *cluster {
	c := l.clusters[name]
	if c == nil {
		c = &cluster{name: name, c: w.driver.Cluster(name), lis: l}
		l.clusters[name] = c
	}
	return c
}

// refresh follows the cluster's current endpoints.
func (w *Worker) refresh(c *cluster) {
	set := c.c.Endpoints()
	if set == c.set && c.pools != nil {
		return
	}
	former := c.pools
	old := make(map[*Endpoint]*pool, len(former))
	for _, p := range former {
		old[p.endpoint] = p
	}
	c.set, c.pools = set, []*pool{}
	if set == nil {
		c.pools = append(c.pools, reuse(old, nil, c))
	} else {
		weights := make([]uint32, len(set.Endpoints))
		for i, e := range set.Endpoints {
			weights[i] = e.Weight
			c.pools = append(c.pools, reuse(old, e, c))
		}
		c.pick = newPicker(weights, w.random.Uint64())
	}
	for _, p := range former {
		if old[p.endpoint] == p {
			w.retirePool(p)
		}
	}
}

func reuse(old map[*Endpoint]*pool, e *Endpoint, c *cluster) *pool {
	p := old[e]
	if p == nil {
		return &pool{endpoint: e, cluster: c}
	}
	delete(old, e)
	return p
}

// retireCluster lets a cluster go that no route names any more.
func (w *Worker) retireCluster(c *cluster) {
	for _, p := range c.pools {
		w.retirePool(p)
	}
	c.pools = nil
}

// retirePool lets the connections finish what is in flight.
func (w *Worker) retirePool(p *pool) {
	for up := p.all; up != nil; {
		next := up.nextInPool
		if !up.pinned {
			up.retired = true
			p.dropIdle(up)
			if up.inflight == 0 {
				w.retire(up)
			}
		}
		up = next
	}
}

// endpoint chooses a pool for the request; nil if there is none.
func (w *Worker) endpoint(d *downstream, s *stream, c *cluster, b []byte, m *codec.Message) *pool {
	if len(c.pools) <= 1 {
		if len(c.pools) == 0 {
			return nil
		}
		return c.pools[0]
	}
	if p := w.hashed(d, s, c, b, m); p != nil {
		return p
	}
	switch c.set.Policy {
	case LeastRequest:
		return w.staying(c, w.leastLoaded(c.set))
	case RingHash, Random:
		return w.staying(c, int(w.random.Uint64()%uint64(len(c.pools))))
	}
	return w.staying(c, c.pick.next())
}

// staying returns the chosen pool, or the next one whose server has not asked
// to be spared.
func (w *Worker) staying(c *cluster, chosen int) *pool {
	for i := range c.pools {
		if p := c.pools[(chosen+i)%len(c.pools)]; p.leaving <= w.now {
			return p
		}
	}
	return c.pools[chosen] // all are leaving
}

// hashed returns the pool that the request's hash names; nil if it names none.
func (w *Worker) hashed(d *downstream, s *stream, c *cluster, b []byte, m *codec.Message) *pool {
	if c.set == nil || c.set.Policy != RingHash || len(c.set.Ring) == 0 {
		return nil
	}
	h, ok := w.hash(d, s, b, m)
	if !ok {
		return nil
	}
	return w.staying(c, c.set.lookup(h))
}

// leastLoaded takes the better of two endpoints drawn at random; load is the
// number of requests in flight over the weight.
func (w *Worker) leastLoaded(set *EndpointSet) int {
	n := uint64(len(set.Endpoints))
	r := w.random.Uint64()
	i := r >> 32 * n >> 32
	j := r & 0xffffffff * (n - 1) >> 32
	if j >= i {
		j++
	}
	a, b := set.Endpoints[i], set.Endpoints[j]
	if (a.Active.Load()+1)*int64(b.Weight) <= (b.Active.Load()+1)*int64(a.Weight) {
		return int(i)
	}
	return int(j)
}

// hash joins what the route's hash policies find in the request; false if
// they find nothing.
func (w *Worker) hash(d *downstream, s *stream, b []byte, m *codec.Message) (h uint64, found bool) {
	if s.route == nil {
		return 0, false
	}
	for _, p := range s.route.Hash {
		var x uint64
		if p.SourceAddress {
			a := d.remote.Addr().As16()
			x = xxhash.Sum64(a[:])
		} else if v, ok := d.dec.Get(b, m, p.Ref); ok {
			if v.IsInt && v.Bytes == nil {
				x = uint64(v.Int) * 0x9e3779b97f4a7c15
				x ^= x >> 32
			} else {
				x = xxhash.Sum64(v.Bytes)
			}
		} else {
			continue
		}
		h = h<<1 | h>>63
		h ^= x
		found = true
	}
	return h, found
}

// lookup returns the index of the endpoint that serves hash h.
func (s *EndpointSet) lookup(h uint64) int {
	lo, hi := 0, len(s.Ring)
	for lo < hi {
		if mid := (lo + hi) / 2; s.Ring[mid].Hash < h {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(s.Ring) {
		lo = 0
	}
	return int(s.Ring[lo].Endpoint)
}
