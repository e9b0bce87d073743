package simtest

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filters/mirror"
	"github.com/aeraki-mesh/aeraki/filters/mutation"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// profile is a kind of mesh.
type profile struct {
	name           string
	client, server codec.Order
	parallel       bool
	envoy          bool
	// calm: nobody fails, so every request must be served by a server.
	calm bool
	// hostile: servers answer twice, late, never, or with nonsense.
	hostile bool
}

func profiles() []profile {
	var all []profile
	for _, kind := range []profile{
		{name: "leased", client: codec.InOrder, server: codec.InOrder},
		{name: "shared", client: codec.ByID, server: codec.ByID, parallel: true},
		{name: "shared-in-order", client: codec.InOrder, server: codec.ByID, parallel: true},
	} {
		for _, mood := range []profile{{name: "calm", calm: true}, {name: "failing"}, {name: "hostile", hostile: true}} {
			for _, envoy := range []bool{false, true} {
				p := kind
				p.name, p.calm, p.hostile, p.envoy = kind.name+"-"+mood.name, mood.calm, mood.hostile, envoy
				if envoy {
					p.name += "-envoy"
				}
				all = append(all, p)
			}
		}
	}
	return all
}

// world is one mesh. err is the first promise that was broken.
type world struct {
	profile
	net     *sim.Net
	rnd     *rand.Rand
	proto   *toy.Protocol
	workers int
	split   int // bytes delivered at once, at most
	clients []*client
	servers []*server
	version int
	tokens  int
	served  map[string]int // requests that reached servers, by token; copies apart
	begun   int            // clients that were started
	err     error
}

func (w *world) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %v: %s", w.net.Now(), fmt.Sprintf(format, a...))
	}
}

// chance is true with this probability.
func (w *world) chance(p float64) bool { return w.rnd.Float64() < p }

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rnd.Int64N(int64(d) + 1)) }

func newWorld(p profile, seed uint64) *world {
	o := sim.Options{Envoy: p.envoy}
	w := &world{profile: p, served: map[string]int{}}
	pre := rand.New(rand.NewPCG(seed, 1))
	o.MaxDelay = time.Duration(pre.IntN(5)) * time.Millisecond
	o.SplitBytes = 1 << (4 + pre.IntN(10))
	o.Buffer = 1 << (9 + pre.IntN(9))
	if !p.calm {
		o.ResetProbability, o.ConnectFailProbability = 0.002*pre.Float64(), 0.1*pre.Float64()
	}
	w.split = o.SplitBytes
	w.net = sim.New(seed, o)
	w.rnd = w.net.Rand()
	w.proto = toy.New(p.client, p.server, p.parallel)
	if w.chance(0.5) {
		w.proto.T.HeartbeatInterval = time.Minute
	}
	w.workers = 1 + w.rnd.IntN(3)
	shared := engine.NewShared()
	for range w.workers {
		w.net.Worker(func(d engine.Driver) engine.Handler {
			return engine.NewWorker(engine.Options{Driver: d, Shared: shared, Seed: w.rnd.Uint64(),
				Log: slog.New(slog.DiscardHandler)})
		})
	}
	for i := range 6 {
		w.servers = append(w.servers, w.newServer(i))
	}
	w.endpoints()
	w.configure()
	return w
}

// endpoints gives every cluster some of its servers: a has 0 and 1, b 2 and 3,
// the mirror 4 and 5.
func (w *world) endpoints() {
	for i, name := range []string{"a", "b", "mirror"} {
		addrs := []netip.AddrPort{w.servers[2*i].addr, w.servers[2*i+1].addr}
		switch w.rnd.IntN(3) {
		case 0:
			addrs = addrs[:1]
		case 1:
			addrs = addrs[1:]
		}
		w.net.Clusters().Get(name).Set(engine.Policy(w.rnd.IntN(2)), addrs...)
	}
}

// configure puts new routes into force.
func (w *world) configure() {
	w.version++
	timeout := ""
	if w.hostile || !w.calm && w.chance(0.5) {
		timeout = fmt.Sprintf(`,"timeout":"%.3fs"`, 0.02+w.rnd.Float64()*0.3)
	}
	filters := ""
	if w.chance(0.5) {
		filters = fmt.Sprintf(`,"filters":[{"name":"mutation","config":{"request":[{"property":"tag","value":"v%d"}],"response":[{"op":"add","property":"tag","value":"added"}]}},{"name":"mirror","config":{"cluster":"mirror","percent":%d}}]`,
			w.version, 1+w.rnd.IntN(100))
	}
	json := fmt.Sprintf(`{"name":"v%d","routes":[
		{"name":"m0","matches":[{"properties":[{"property":"method","exact":"m0"}]}],"clusters":[{"name":"a","weight":1}]%s%s},
		{"name":"rest","clusters":[{"name":"a","weight":%d},{"name":"b","weight":%d}]%s%s}]}`,
		w.version, timeout, filters, 1+w.rnd.IntN(100), w.rnd.IntN(100), timeout, filters)
	rc := &proxyv1.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(json), rc); err != nil {
		panic(err)
	}
	table, err := route.Compile(rc, route.Options{Protocol: w.proto, Filters: []filter.Filter{mutation.Filter{}, mirror.Filter{}}})
	if err != nil {
		panic(err)
	}
	limits := engine.DefaultLimits()
	limits.RequestsPerConnection = 1 + w.rnd.IntN(16)
	c := &engine.Config{Listeners: []*engine.Listener{{Name: "l", Protocol: w.proto, Routes: table, Limits: limits}}}
	for i := range w.workers {
		w.net.Do(i, func(h engine.Handler) { h.(*engine.Worker).Configure(c) })
	}
}

// run lets the mesh live and returns the promise that was broken, or nil.
func (w *world) run() error {
	for range 1 + w.rnd.IntN(6) {
		w.startClient()
	}
	w.change()
	done := func() bool {
		for _, c := range w.clients {
			if !c.over {
				return w.err != nil
			}
		}
		return true
	}
	if err := w.net.Run(done, 20*time.Minute); err != nil && w.err == nil {
		return fmt.Errorf("requests hang: %w: %s", err, w.open())
	}
	if w.err == nil {
		w.settle()
	}
	return w.err
}

// change changes routes or endpoints, again and again while clients live.
func (w *world) change() {
	w.net.After(w.upTo(30*time.Millisecond), func() {
		for _, c := range w.clients {
			if !c.over {
				if w.chance(0.5) {
					w.configure()
				} else {
					w.endpoints()
				}
				w.change()
				return
			}
		}
	})
}

// open says which clients wait for what.
func (w *world) open() (s string) {
	for i, c := range w.clients {
		if !c.over {
			s += fmt.Sprintf("client %d waits for %d replies after %d sent; ", i, len(c.pending), c.sent)
		}
	}
	return s
}

// settle checks that nothing is left: no request, no byte, no client; upstream
// connections may stay in their pools until those are drained.
func (w *world) settle() {
	w.net.Run(nil, 3*time.Minute) // it ends with the time, or with nothing left to happen
	total := engine.Snapshot{}
	var results [engine.Results]uint64
	for i := range w.workers {
		w.net.Do(i, func(h engine.Handler) {
			s := h.(*engine.Worker).Snapshot()
			total.Requests += s.Requests
			total.Buffered += s.Buffered
			for e, n := range s.Events {
				total.Events[e] += n
			}
			for _, n := range s.Clients {
				if n > 0 {
					w.fail("worker %d still has %d clients", i, n)
				}
			}
			for j := range s.Series {
				for r, n := range s.Series[j].Requests {
					results[r] += n
				}
			}
		})
	}
	if total.Requests != 0 || total.Buffered != 0 {
		w.fail("%d requests and %d bytes are left in the workers", total.Requests, total.Buffered)
	}
	if total.Events[engine.Panic] > 0 {
		w.fail("%d panics", total.Events[engine.Panic])
	}
	// A heartbeat's answer may be on its way just now; nothing else may.
	if w.net.Run(func() bool { return w.net.Usage().Kept == 0 }, time.Second) != nil {
		w.fail("%d bytes are left unread", w.net.Usage().Kept)
	}
	w.addUp(results, total.Events)
}

// addUp compares what the workers counted with what clients and servers saw.
func (w *world) addUp(results [engine.Results]uint64, events [engine.Events]uint64) {
	var counted, sent, got, local, oneway uint64
	for _, n := range results {
		counted += n
	}
	for _, c := range w.clients {
		sent += uint64(c.sent)
		got += uint64(c.got)
		local += uint64(c.local)
		oneway += uint64(c.oneways)
	}
	served := results[engine.ServedOK] + results[engine.ServedError] + results[engine.ServedRefuse]
	switch {
	case counted > sent || counted < got:
		w.fail("workers counted %d requests; clients sent %d and got %d replies", counted, sent, got)
	case w.calm && (counted != sent || served != got || results[engine.OnewaySent] != oneway || local != 0):
		w.fail("calm: counted %d of %d requests, %d served of %d replies, %d of %d one-way, %d local replies",
			counted, sent, served, got, results[engine.OnewaySent], oneway, local)
	case w.calm && uint64(len(w.served)) != sent:
		w.fail("calm: servers saw %d of %d requests", len(w.served), sent)
	case w.calm && events[engine.StrayReply]+events[engine.LateReply] != 0:
		w.fail("calm: %d stray and %d late replies", events[engine.StrayReply], events[engine.LateReply])
	}
}
