package simtest

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// world is one mesh. err is the first promise that was broken.
type world struct {
	profile
	conditions
	options sim.Options
	net     *sim.Net
	rnd     *rand.Rand
	proto   codec.Protocol
	workers int
	clients []*client
	servers []*server
	begun   int // clients that were started
	tokens  int
	pushes  uint32
	sent    map[string]*pending // what clients sent, by token
	served  map[string]int      // how often servers, but mirrors, got it
	atWork  map[*client]int     // requests of a client that servers have and did not answer
	homes   map[string]*server  // by cluster and tag: where the ring sends them
	over    bool                // no client is left
	err     error
	rules
}

func (w *world) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %v: %s", w.net.Now(), fmt.Sprintf(format, a...))
	}
}

// chance is true with this probability.
func (w *world) chance(p float64) bool { return w.rnd.Float64() < p }

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rnd.Int64N(int64(d) + 1)) }

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func newWorld(p profile, seed uint64) *world {
	w := &world{profile: p, sent: map[string]*pending{}, served: map[string]int{},
		atWork: map[*client]int{}, homes: map[string]*server{}}
	pre := rand.New(rand.NewPCG(seed, 1))
	w.conditions = p.draw(pre)
	w.options = p.options(pre, &w.conditions)
	w.net = sim.New(seed, w.options)
	w.rnd = w.net.Rand()
	w.proto = newProtocol(p, w.conditions)
	if w.workers = 1 + w.rnd.IntN(3); w.churn {
		w.workers = 1
	}
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
	w.present, w.dialable = map[string]bool{"l": true, "m": true}, map[string]bool{"l": true, "m": true}
	w.endpoints()
	w.configure()
	return w
}

// run lets the mesh live and returns the promise that was broken, or nil.
func (w *world) run() error {
	clients := 1 + w.rnd.IntN(6)
	switch w.bulk {
	case slowClients:
		clients = 1 + w.rnd.IntN(2)
	case slowServers:
		clients = 1
	}
	for range clients {
		w.startClient(0)
	}
	if !w.steady {
		w.change()
	}
	if w.drains {
		w.net.After(w.upTo(200*time.Millisecond), w.drain)
	}
	w.watch()
	if err := w.net.Run(func() bool { return w.err != nil || w.live() == 0 }, 20*time.Minute); err != nil && w.err == nil {
		w.fail("requests hang: %v: %s", err, w.open())
	}
	w.over = true
	if w.err == nil {
		w.settle()
	}
	if w.err != nil {
		return fmt.Errorf("%w\nconditions: %+v, %d workers, network %+v", w.err, w.conditions, w.workers, w.options)
	}
	return nil
}

// live is the number of clients that are not done.
func (w *world) live() (n int) {
	for _, c := range w.clients {
		if !c.over {
			n++
		}
	}
	return n
}

// open says which clients wait for what.
func (w *world) open() (s string) {
	for i, c := range w.clients {
		if !c.over {
			s += fmt.Sprintf("client %d waits for %d replies after %d of %d sent; ", i+1, len(c.pending), c.sent, c.budget)
		}
	}
	return s
}

// do calls f with every worker.
func (w *world) do(f func(i int, h *engine.Worker)) {
	for i := range w.workers {
		w.net.Do(i, func(h engine.Handler) { f(i, h.(*engine.Worker)) })
	}
}
