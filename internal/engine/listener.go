package engine

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// Shared is what must hold for a process, whatever its number of workers.
type Shared struct {
	mu    sync.Mutex
	conns map[string]*atomic.Int64 // downstream connections by listener; guarded by mu
}

// NewShared returns the state that all workers of a process share.
func NewShared() *Shared { return &Shared{conns: map[string]*atomic.Int64{}} }

func (s *Shared) connections(listener string) *atomic.Int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.conns[listener]
	if n == nil {
		n = new(atomic.Int64)
		s.conns[listener] = n
	}
	return n
}

// listener is one worker's view of a Listener.
type listener struct {
	cfg      *Listener
	traits   codec.Traits
	inOrder  bool // replies to clients keep the requests' order
	shared   bool // upstream connections are shared by id
	wideIDs  bool // ids on shared connections never come twice
	conns    *atomic.Int64
	inflight int
	routes   []*routeState // as cfg.Routes.Routes
	clusters map[string]*cluster
	noRoute  *Series
	silent   map[string]struct{} // names of requests that turned out to have no reply
	removed  bool

	renumberer  codec.Renumberer
	mutator     codec.Mutator
	responder   codec.Responder
	heartbeater codec.Heartbeater
	goAwayer    codec.GoAwayer
}

// routeState is a route with what changes while it is used.
type routeState struct {
	*route.Route
	picker   picker
	clusters []*cluster
	series   []*Series // per cluster
	copies   []*cluster
}

// Configure puts a configuration into force. Connections stay; requests that
// arrived before are finished as they were routed.
func (w *Worker) Configure(c *Config) {
	seen := map[string]bool{}
	for _, lc := range c.Listeners {
		seen[lc.Name] = true
		l := w.listeners[lc.Name]
		if l != nil && l.traits.Name != lc.Protocol.Traits().Name { // its connections speak something else
			w.removeListener(l)
			l = nil
		}
		if l == nil {
			l = &listener{conns: w.shared.connections(lc.Name), clusters: map[string]*cluster{}}
			w.listeners[lc.Name] = l
		}
		if l.cfg != lc {
			w.configureListener(l, lc)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.listeners)) {
		if !seen[name] {
			w.removeListener(w.listeners[name])
			delete(w.listeners, name)
		}
	}
}

func (w *Worker) configureListener(l *listener, lc *Listener) {
	sameRoutes := l.cfg != nil && l.cfg.Routes == lc.Routes
	p := lc.Protocol
	l.cfg, l.traits = lc, p.Traits()
	l.inOrder = l.traits.Client == codec.InOrder
	l.renumberer, _ = p.(codec.Renumberer)
	l.mutator, _ = p.(codec.Mutator)
	l.responder, _ = p.(codec.Responder)
	l.heartbeater, _ = p.(codec.Heartbeater)
	l.goAwayer, _ = p.(codec.GoAwayer)
	l.shared = l.renumberer != nil && (lc.Sharing == SharedByID || lc.Sharing == AsProtocol && l.traits.Parallel)
	l.wideIDs = l.renumberer != nil && l.renumberer.Bits() == 64
	l.noRoute = w.series(lc, "", "")
	if sameRoutes {
		return
	}
	l.routes = l.routes[:0:0]
	for _, r := range lc.Routes.Routes {
		l.routes = append(l.routes, w.routeState(l, r))
	}
	used := lc.Routes.Clusters()
	for _, name := range slices.Sorted(maps.Keys(l.clusters)) { // in order: simulations replay exactly
		if _, ok := slices.BinarySearch(used, name); !ok {
			w.retireCluster(l.clusters[name])
			delete(l.clusters, name)
		}
	}
}

func (w *Worker) routeState(l *listener, r *route.Route) *routeState {
	rs := &routeState{Route: r}
	weights := make([]uint32, len(r.Clusters))
	for i, c := range r.Clusters {
		weights[i] = c.Weight
		rs.clusters = append(rs.clusters, w.cluster(l, c.Name))
		rs.series = append(rs.series, w.series(l.cfg, r.Name, c.Name))
	}
	rs.picker = newPicker(weights, w.random.Uint64())
	for _, name := range r.CopyClusters {
		rs.copies = append(rs.copies, w.cluster(l, name))
	}
	return rs
}

// removeListener drains the connections of a listener that is no more.
func (w *Worker) removeListener(l *listener) {
	l.removed = true
	for _, c := range w.conns {
		if c != nil && c.down != nil && c.down.lis == l {
			w.drainClient(c.down)
		}
	}
	w.retireClusters(l)
}

// retireClusters lets the upstream connections go of a listener that is no
// more. Requests of clients that are still there make new ones.
func (w *Worker) retireClusters(l *listener) {
	for _, name := range slices.Sorted(maps.Keys(l.clusters)) {
		w.retireCluster(l.clusters[name])
	}
}

// Drain tells clients to go away and closes their connections as they become
// idle. New connections are drained at once.
func (w *Worker) Drain() {
	w.draining = true
	for _, c := range w.conns {
		if c != nil && c.down != nil {
			w.drainClient(c.down)
		}
	}
}

// Clients returns the number of client connections.
func (w *Worker) Clients() (n int) {
	for _, c := range w.conns {
		if c != nil && c.down != nil {
			n++
		}
	}
	return n
}

// Unsent returns the number of bytes that wait to be written, also one-way
// messages of clients that have gone.
func (w *Worker) Unsent() int { return w.pending }

// maxSilent bounds the names that are remembered.
const maxSilent = 256

// learnSilent remembers that requests of this name have no reply, so that the
// next one is not awaited, and not answered by a time-out that its client does
// not expect.
func (l *listener) learnSilent(name []byte) {
	if len(name) == 0 || len(l.silent) >= maxSilent {
		return
	}
	if l.silent == nil {
		l.silent = map[string]struct{}{}
	}
	l.silent[string(name)] = struct{}{}
}

func (l *listener) isSilent(name []byte) bool {
	if len(l.silent) == 0 {
		return false
	}
	_, ok := l.silent[string(name)]
	return ok
}

// respond appends a local reply for a client of l to dst. It is called in the
// middle of things: a bug of the codec must not tear them apart, so it ends
// that client instead, later.
func (w *Worker) respond(d *downstream, dst []byte, o *codec.Origin, r codec.LocalReply) (out []byte) {
	if d.lis.responder == nil {
		return dst
	}
	defer func() {
		if p := recover(); p != nil {
			w.note(Panic, "cause", fmt.Sprint(p), "stack", string(debug.Stack()))
			w.endClient(d)
			out = dst
		}
	}()
	return d.lis.responder.AppendReply(dst, o, r)
}
