// Package sim is the driver with a simulated network and clock. Everything
// that happens is drawn from one seed and runs on the caller's goroutine, so
// that a failure replays exactly: how bytes are cut, how long they take, what
// a full buffer refuses, who resets whom.
//
// A worker's side of a connection is what engine.Driver offers; the other side
// is a Conn, whose callbacks are the client or server in a test.
package sim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Options say what the network does to those who use it. The zero value is a
// network that is fast and whole.
type Options struct {
	// MaxDelay bounds the delay of each delivery, notice and connection.
	MaxDelay time.Duration
	// SplitBytes is the most that is delivered at once; 0: 64 KiB. How much it
	// is each time is random.
	SplitBytes int
	// ResetProbability is the chance, per delivery, that the connection breaks
	// instead, for both sides.
	ResetProbability float64
	// ConnectFailProbability is the chance that Connect fails.
	ConnectFailProbability float64
	// Buffer is what the network holds per direction and side, in bytes; 0:
	// 64 KiB. A worker that writes into a full one is told to wait.
	Buffer int
	// Envoy limits the driver to what one inside Envoy can do: clusters
	// balance by themselves (Endpoints is nil and Target has no Endpoint),
	// Write takes all and Writable never comes, timers are coarse.
	Envoy bool
}

// Net is a simulated network with its workers, servers and clients. It must be
// used from one goroutine.
type Net struct {
	o        Options
	rng      *rand.Rand
	now      time.Duration
	events   eventHeap
	seq      uint64
	workers  []*worker
	servers  []server
	links    []*link // all that are not gone for both sides
	clusters *Clusters
	trace    uint64
	refusing bool // no more connections to workers
	dialed   uint16
}

// server is an address that workers can connect to.
type server struct {
	addr   netip.AddrPort
	accept func(*Conn) // nil: never answers
}

// New makes a network; equal seeds and options and equal use make equal runs.
func New(seed uint64, o Options) *Net {
	if o.SplitBytes <= 0 {
		o.SplitBytes = 64 << 10
	}
	if o.Buffer <= 0 {
		o.Buffer = 64 << 10
	}
	n := &Net{o: o, rng: rand.New(rand.NewPCG(seed, 0x616572616b69)), trace: seed}
	n.clusters = &Clusters{balanced: o.Envoy}
	return n
}

// Worker adds a worker. The handler is called from Run only, except as Do says.
func (n *Net) Worker(newHandler func(d engine.Driver) engine.Handler) {
	w := &worker{n: n, index: len(n.workers), ends: []*end{nil}}
	n.workers = append(n.workers, w)
	w.h = newHandler(w)
	w.kick()
}

// Do runs f with the handler of worker i between two of its iterations, and
// has one follow. It must not be called from inside a handler.
func (n *Net) Do(i int, f func(h engine.Handler)) {
	w := n.workers[i]
	if w.iterating {
		panic("sim: Do inside an iteration")
	}
	f(w.h)
	w.kick()
}

// Listen adds a server at addr; accept is called for every connection, and
// sets the callbacks of c. With accept nil the address never answers. What
// nobody listens on refuses.
func (n *Net) Listen(addr netip.AddrPort, accept func(c *Conn)) {
	n.Unlisten(addr)
	n.servers = append(n.servers, server{addr, accept})
}

// Unlisten removes the server at addr; its connections live on.
func (n *Net) Unlisten(addr netip.AddrPort) {
	for i, s := range n.servers {
		if s.addr == addr {
			n.servers = append(n.servers[:i], n.servers[i+1:]...)
			return
		}
	}
}

// Dial connects a client to the named listener of one of the workers.
func (n *Net) Dial(listener string) *Conn {
	n.dialed++
	info := engine.ConnInfo{
		Listener: listener,
		Remote:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, 1}), n.dialed),
		Local:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, 2}), 80),
	}
	l := n.newLink()
	n.After(n.delay(), func() {
		if n.refusing {
			l.peer.ended(engine.ConnectFailed)
			l.peer.closed = true
			return
		}
		if !l.peer.closed {
			w := n.workers[n.rng.IntN(len(n.workers))]
			w.accepted(l, info)
		}
	})
	return l.peer
}

// StopAccepting has workers refuse connections that arrive from now on.
func (n *Net) StopAccepting() { n.refusing = true }

// Now is the time since the network began; Rand its source of randomness.
func (n *Net) Now() time.Duration { return n.now }

// Rand returns the source that everything is drawn from.
func (n *Net) Rand() *rand.Rand { return n.rng }

// Clusters returns the clusters that the workers see.
func (n *Net) Clusters() *Clusters { return n.clusters }

// After runs f when d has passed.
func (n *Net) After(d time.Duration, f func()) {
	n.seq++
	heap.Push(&n.events, event{n.now + d, n.seq, f})
}

// Run lets things happen until the condition holds. It fails when the limit of
// simulated time, counted from now, is reached first, or when nothing is left
// to happen. until may be nil: never.
func (n *Net) Run(until func() bool, limit time.Duration) error {
	end := n.now + limit
	for until == nil || !until() {
		if len(n.events) == 0 {
			return fmt.Errorf("sim: nothing left to happen at %v", n.now)
		}
		if n.events[0].at > end {
			n.now = end
			return fmt.Errorf("sim: condition not met within %v", limit)
		}
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		e.f()
	}
	return nil
}

// Trace is a hash of all that happened; two runs of one seed have the same.
func (n *Net) Trace() uint64 { return n.trace }

// note adds to the trace.
func (n *Net) note(kind byte, id uint64, size int) {
	var b [33]byte
	binary.LittleEndian.PutUint64(b[0:], n.trace)
	binary.LittleEndian.PutUint64(b[8:], uint64(n.now))
	binary.LittleEndian.PutUint64(b[16:], id)
	binary.LittleEndian.PutUint64(b[24:], uint64(size))
	b[32] = kind
	h := fnv.New64a()
	h.Write(b[:])
	n.trace = h.Sum64()
}

// Usage is what is not released.
type Usage struct {
	Workers int // connections that workers have not closed
	Peers   int // connections that clients and servers have not closed
	Kept    int // bytes that handlers were shown and did not consume
}

// Usage tells what is still open; at the end of a test it should be zero.
func (n *Net) Usage() Usage {
	var u Usage
	for _, l := range n.live() {
		if l.end != nil && l.end.state != dead {
			u.Workers++
			u.Kept += len(l.end.kept)
		}
		if !l.peer.closed {
			u.Peers++
		}
	}
	return u
}

// live drops the links that both sides have closed.
func (n *Net) live() []*link {
	kept := n.links[:0]
	for _, l := range n.links {
		if !l.peer.closed || l.end != nil && l.end.state != dead {
			kept = append(kept, l)
		}
	}
	clear(n.links[len(kept):])
	n.links = kept
	return kept
}

// delay draws how long something takes.
func (n *Net) delay() time.Duration {
	if n.o.MaxDelay <= 0 {
		return 0
	}
	return time.Duration(n.rng.Int64N(int64(n.o.MaxDelay) + 1))
}

func (n *Net) chance(p float64) bool { return p > 0 && n.rng.Float64() < p }

// event is something that will happen.
type event struct {
	at  time.Duration
	seq uint64 // order of equal times
	f   func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}
