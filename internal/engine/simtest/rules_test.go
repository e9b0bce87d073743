package simtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/encoding/protojson"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filters/mirror"
	"github.com/aeraki-mesh/aeraki/filters/mutation"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// rules are what the workers are told.
type rules struct {
	version  int
	weights  [2]uint32       // of clusters a and b in the route "rest"
	shortest time.Duration   // timeout that any route ever had; 0: none
	most     int             // requests in flight per client that any configuration allowed
	emptied  bool            // some cluster once had no endpoint
	drained  bool            // workers were drained
	present  map[string]bool // listeners in force
	dialable map[string]bool // listeners to which clients go
}

// change changes routes, endpoints or listeners, again and again while clients
// live; less often when they live long.
func (w *world) change() {
	w.net.After(w.upTo(30*time.Millisecond+w.net.Now()/10), func() {
		if w.over || w.live() == 0 {
			return
		}
		switch {
		case w.removals && w.chance(0.1):
			w.remove()
		case w.chance(0.5):
			w.configure()
		default:
			w.endpoints()
		}
		w.change()
	})
}

// endpoints gives every cluster some of its servers: a has 0 and 1, b 2 and 3,
// the mirror 4 and 5.
func (w *world) endpoints() {
	if w.ring && w.version > 0 {
		return
	}
	for i, name := range []string{"a", "b", "mirror"} {
		addrs := []netip.AddrPort{w.servers[2*i].addr, w.servers[2*i+1].addr}
		n := w.rnd.IntN(3)
		switch {
		case w.ring:
		case w.empties && w.chance(0.2):
			addrs, w.emptied = nil, true
		case n == 0 || w.bulk != noBulk:
			addrs = addrs[:1]
		case n == 1:
			addrs = addrs[1:]
		}
		policy := []engine.Policy{engine.RoundRobin, engine.LeastRequest, engine.Random}[w.rnd.IntN(3)]
		if w.ring {
			policy = engine.RingHash
		}
		c := w.net.Clusters().Get(name)
		c.Set(policy, addrs...)
		if set := c.Endpoints(); set != nil && w.ring {
			ringed := *set
			ringed.Ring = ringOf(addrs)
			c.Replace(&ringed)
		}
	}
}

// ringOf gives every endpoint 20 points.
func ringOf(addrs []netip.AddrPort) (ring []engine.RingPoint) {
	for i, a := range addrs {
		for n := range 20 {
			ring = append(ring, engine.RingPoint{Hash: xxhash.Sum64String(fmt.Sprint(a, n)), Endpoint: int32(i)})
		}
	}
	slices.SortFunc(ring, func(a, b engine.RingPoint) int { return cmp.Compare(a.Hash, b.Hash) })
	return ring
}

// configure puts new routes into force. In all of them m0 goes to a, and mb,
// which alone has the tag tb, to b.
func (w *world) configure() {
	w.version++
	w.weights = [2]uint32{1 + w.rnd.Uint32N(10), w.rnd.Uint32N(10)}
	only := `{"property":"method","exact":"mb"}`
	if w.chance(0.5) {
		only = `{"property":"tag","exact":"tb"}`
	}
	hash := ""
	if w.ring {
		hash = `,"hashPolicy":[{"property":"tag"}]`
	}
	table := w.compile(fmt.Sprintf(`{"name":"v%d","routes":[
		{"name":"m0","matches":[{"properties":[{"property":"method","exact":"m0"}]}],"clusters":[{"name":"a","weight":1}]%s},
		{"name":"mb","matches":[{"properties":[%s]}],"clusters":[{"name":"b","weight":1}]%s},
		{"name":"rest","clusters":[{"name":"a","weight":%d},{"name":"b","weight":%d}]%s%s}]}`,
		w.version, w.details(), only, w.details(), w.weights[0], w.weights[1], w.details(), hash))
	limits := w.limits()
	c := &engine.Config{}
	for _, name := range []string{"l", "m"} {
		if w.present[name] {
			c.Listeners = append(c.Listeners, &engine.Listener{Name: name, Protocol: w.proto, Routes: table,
				Limits: limits, IdleTimeout: w.idle})
		}
	}
	w.do(func(_ int, h *engine.Worker) { h.Configure(c) })
}

func (w *world) compile(json string) *route.Table {
	rc := &proxyv1.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(json), rc); err != nil {
		panic(err)
	}
	table, err := route.Compile(rc, route.Options{Protocol: w.proto, Filters: []filter.Filter{mutation.Filter{}, mirror.Filter{}}})
	if err != nil {
		panic(err)
	}
	return table
}

// details draws a route's timeout and filters.
func (w *world) details() (s string) {
	if w.hostile || !w.calm && w.chance(0.5) {
		timeout := 20*time.Millisecond + w.upTo(300*time.Millisecond)
		if w.shortest == 0 || timeout < w.shortest {
			w.shortest = timeout
		}
		s = fmt.Sprintf(`,"timeout":"%.9fs"`, timeout.Seconds())
	}
	mutate := fmt.Sprintf(`{"name":"mutation","config":{"request":[{"property":"tag","value":"v%d"}],"response":[{"op":"add","property":"tag","value":"added"}]}}`, w.version)
	copies := fmt.Sprintf(`{"name":"mirror","config":{"cluster":"mirror","percent":%d}}`, 1+w.rnd.IntN(100))
	switch n := w.rnd.IntN(6); {
	case n == 0 && w.bulk == noBulk:
		s += `,"filters":[` + mutate + `,` + copies + `]`
	case n == 1 && w.bulk == noBulk:
		s += `,"filters":[` + copies + `]`
	case n == 2:
		s += `,"filters":[` + mutate + `]`
	}
	return s
}

// maxClients bounds the connections of clients that live at once; some more
// may be open that the workers have not seen the end of.
const maxClients = 12

func (w *world) limits() engine.Limits {
	l := engine.DefaultLimits()
	l.Codec.Message = int64(w.limit)
	if l.RequestsPerConnection = w.requests; w.requests == 0 {
		l.RequestsPerConnection = 1 + w.rnd.IntN(16)
	}
	w.most = max(w.most, l.RequestsPerConnection)
	if w.churn { // tight, so that whatever is not given back is missed
		l.Connections = maxClients
		if !w.hostile && !w.mayDie() { // else requests that clients left count as in flight for long
			l.Requests = 2 * maxClients * churnDepth
		}
	}
	return l
}

// remove takes a listener away and gives it back. No client is on its way to
// it then.
func (w *world) remove() {
	name := []string{"l", "m"}[w.rnd.IntN(2)]
	if !w.dialable["l"] || !w.dialable["m"] {
		return
	}
	w.dialable[name] = false
	w.net.After(2*w.options.MaxDelay+time.Millisecond, func() {
		w.present[name] = false
		w.configure()
		w.net.After(w.upTo(100*time.Millisecond), func() {
			w.present[name], w.dialable[name] = true, true
			if !w.over {
				w.configure()
			}
		})
	})
}

// drain drains all workers, one after the other.
func (w *world) drain() {
	w.drained = true
	for i := range w.workers {
		w.net.After(w.upTo(50*time.Millisecond), func() {
			w.net.Do(i, func(h engine.Handler) { h.(*engine.Worker).Drain() })
		})
	}
}

// mayFail reports whether the proxy may answer for this reason; calm meshes
// give it few.
func (w *world) mayFail(c codec.Cause) bool {
	switch c {
	case codec.TimedOut:
		return true // the client checks when
	case codec.NoUpstream:
		return w.emptied && !w.envoy
	case codec.ConnectFail:
		return !w.calm || w.emptied && w.envoy // there it is the driver that finds none
	case codec.Reset:
		return !w.calm
	case codec.BadReply:
		return w.hostile
	}
	return false
}
