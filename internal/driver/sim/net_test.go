package sim_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

var upstream = netip.MustParseAddrPort("10.2.0.1:80")

// relay is a handler that joins each accepted connection to one of its own,
// and closes both when one ends.
type relay struct {
	d     engine.Driver
	other map[engine.ConnID]engine.ConnID
	kept  []byte // a slice that it should not keep
}

func newRelay(d engine.Driver) engine.Handler {
	return &relay{d: d, other: map[engine.ConnID]engine.ConnID{}}
}

func (r *relay) Wake(time.Duration) {}
func (r *relay) Opened(c engine.ConnID, in engine.ConnInfo) {
	if in.Listener == "" {
		r.d.SetReading(r.other[c], true)
		return
	}
	set := r.d.Cluster("up").Endpoints()
	t := engine.Target{Cluster: "up"}
	if set != nil {
		t.Endpoint = set.Endpoints[0]
	}
	up := r.d.Connect(t)
	r.other[c], r.other[up] = up, c
	r.d.SetReading(c, false)
}

func (r *relay) Readable(c engine.ConnID, b []byte) int {
	r.kept = b
	n := r.d.Write(r.other[c], [][]byte{b})
	if n < len(b) {
		r.d.SetReading(c, false)
	}
	return n
}

func (r *relay) Writable(c engine.ConnID) { r.d.SetReading(r.other[c], true) }
func (r *relay) Closed(c engine.ConnID, why engine.How) {
	if why == engine.Half {
		r.d.Close(r.other[c], engine.Half)
		r.d.SetReading(r.other[c], true)
		return
	}
	r.d.Close(r.other[c], engine.Abort)
	delete(r.other, r.other[c])
	delete(r.other, c)
}
func (r *relay) Flush(now time.Duration) time.Duration { return engine.Never }

// rough is a network that does everything that networks do.
var rough = sim.Options{
	MaxDelay: time.Millisecond, SplitBytes: 700, Buffer: 2000,
	ResetProbability: 0.001, ConnectFailProbability: 0.1,
}

// runMesh has 50 clients send and read through a relay to an echo server; it
// returns how many got all of their bytes back, and how many were reset.
func runMesh(t *testing.T, seed uint64, o sim.Options) (n *sim.Net, whole, broken int) {
	t.Helper()
	n = sim.New(seed, o)
	n.Clusters().Get("up").Set(engine.RoundRobin, upstream)
	n.Listen(upstream, func(c *sim.Conn) {
		c.OnData = func(b []byte) int { c.Write(b); return len(b) }
		c.OnClose = func(engine.How) { c.Close() }
	})
	n.Worker(newRelay)
	n.Worker(newRelay)
	const clients = 50
	for i := range clients {
		c := n.Dial("in")
		msg := bytes.Repeat([]byte{byte(i + 1)}, 1000+n.Rand().IntN(3000))
		var got []byte
		c.OnData = func(b []byte) int {
			if got = append(got, b...); len(got) == len(msg) {
				if !bytes.Equal(got, msg) {
					t.Errorf("seed %d: client %d got other bytes back", seed, i)
				}
				whole++
				c.Reset()
			}
			return len(b)
		}
		c.OnClose = func(engine.How) { broken++; c.Close() }
		c.Write(msg)
	}
	if err := n.Run(func() bool { return whole+broken == clients }, time.Minute); err != nil {
		t.Fatalf("seed %d: %v; %d whole, %d broken, %+v", seed, err, whole, broken, n.Usage())
	}
	_ = n.Run(nil, time.Second) // until nothing is left to happen
	return n, whole, broken
}

// One seed is one history; another seed is another.
func TestDeterministic(t *testing.T) {
	for _, envoy := range []bool{false, true} {
		o := rough
		o.Envoy = envoy
		traces := map[uint64]bool{}
		for seed := range uint64(20) {
			a, whole, broken := runMesh(t, seed, o)
			b, _, _ := runMesh(t, seed, o)
			if a.Trace() != b.Trace() {
				t.Errorf("seed %d: two histories", seed)
			}
			if whole == 0 || broken == 0 {
				t.Errorf("seed %d: %d whole, %d broken: not rough", seed, whole, broken)
			}
			if u := a.Usage(); u != (sim.Usage{}) {
				t.Errorf("seed %d: left over: %+v", seed, u)
			}
			traces[a.Trace()] = true
		}
		if len(traces) != 20 {
			t.Errorf("20 seeds, %d histories", len(traces))
		}
	}
}

// A handler that keeps a slice finds poison in it.
func TestPoison(t *testing.T) {
	n := sim.New(1, sim.Options{})
	var r *relay
	n.Worker(func(d engine.Driver) engine.Handler {
		r = newRelay(d).(*relay)
		return r
	})
	n.Clusters().Get("up").Set(engine.RoundRobin, upstream)
	n.Listen(upstream, func(*sim.Conn) {})
	n.Dial("in").Write([]byte("hello"))
	if err := n.Run(func() bool { return r.kept != nil }, time.Second); err != nil {
		t.Fatal(err)
	}
	for _, b := range r.kept {
		if b != 0xDB {
			t.Fatalf("the kept slice says %q", r.kept)
		}
	}
}

// A connection that nobody closes is reported.
func TestUsage(t *testing.T) {
	n := sim.New(1, sim.Options{})
	n.Worker(newRelay)
	n.Clusters().Get("up").Set(engine.RoundRobin, upstream)
	n.Listen(upstream, func(*sim.Conn) {})
	n.Dial("in")
	_ = n.Run(nil, time.Second)
	if u := n.Usage(); u != (sim.Usage{Workers: 2, Peers: 2}) {
		t.Errorf("%+v", u)
	}
}

// Endpoints keep their identity while the set changes.
func TestClusters(t *testing.T) {
	other := netip.MustParseAddrPort("10.2.0.2:80")
	c := sim.New(1, sim.Options{}).Clusters().Get("up")
	if c.Endpoints() == nil || c.Endpoints().Known {
		t.Error("an unset cluster is known")
	}
	c.Set(engine.RoundRobin, upstream, other)
	first := c.Endpoints().Endpoints
	c.Set(engine.RoundRobin, other)
	if second := c.Endpoints().Endpoints; second[0] != first[1] || !first[0].Gone.Load() || first[1].Gone.Load() {
		t.Error("the endpoint that stayed is another")
	}
	if envoy := sim.New(1, sim.Options{Envoy: true}); envoy.Clusters().Get("up").Endpoints() != nil {
		t.Error("in the Envoy profile endpoints show")
	}
}
