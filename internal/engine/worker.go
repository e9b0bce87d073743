package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
	"github.com/aeraki-mesh/aeraki/wire"
)

// maxPending is how many unsent bytes one worker holds before it answers new
// requests with Overflow.
const maxPending = 256 << 20

// Options is what a Worker is made of.
type Options struct {
	Driver Driver
	Log    *slog.Logger
	Shared *Shared // the same for all workers of a process
	Seed   uint64  // of the worker's randomness: phases, choices
}

// Worker is one single-threaded engine. It implements Handler; all methods
// are called from its driver's goroutine.
type Worker struct {
	driver Driver
	log    *slog.Logger
	shared *Shared
	random *rand.PCG
	now    time.Duration
	timers timers

	listeners map[string]*listener
	conns     []*conn // by ConnID.Index
	dirty     []*conn
	draining  bool

	streams // requests in flight
	buffers buffers
	pending int // unsent bytes of all connections

	// Scratch of the message in hand; nothing of it outlives an event.
	scratch  codec.Message
	messages []*codec.Message // spare ones, for messages that arrive in pieces
	matcher  route.Matcher
	patch    wire.Patch
	exchange exchange
	iovec    [1][]byte
	memoUp   *upstream
	memo     func(id uint64) uint64

	allSeries   map[SeriesKey]*Series
	seriesOrder []*Series
	events      [Events]uint64
	logNext     [Events]time.Duration
	logSkipped  [Events]int
	accepted    uint64
}

// NewWorker returns a worker without configuration: it closes what connects.
func NewWorker(o Options) *Worker {
	w := &Worker{
		driver: o.Driver, log: o.Log, shared: o.Shared,
		random:    rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15),
		listeners: map[string]*listener{},
		allSeries: map[SeriesKey]*Series{},
	}
	w.exchange.w = w
	w.memo = w.memoFor
	return w
}

// Wake implements Handler.
func (w *Worker) Wake(now time.Duration) { w.now = max(w.now, now) }

// Opened implements Handler.
func (w *Worker) Opened(id ConnID, in ConnInfo) {
	if c := w.find(id); c != nil {
		defer w.recover(c)
		w.connected(c.up)
		return
	}
	w.accept(id, in)
}

// Readable implements Handler.
func (w *Worker) Readable(id ConnID, b []byte) (consumed int) {
	c := w.find(id)
	if c == nil {
		return len(b)
	}
	defer w.recover(c)
	if c.down != nil {
		consumed = w.readClient(c.down, b)
	} else {
		consumed = w.readUpstream(c.up, b)
	}
	c.left = consumed < len(b)
	return consumed
}

// Writable implements Handler.
func (w *Worker) Writable(id ConnID) {
	c := w.find(id)
	if c == nil {
		return
	}
	defer w.recover(c)
	c.blocked = false
	w.write(c)
	w.written(c)
}

// Closed implements Handler.
func (w *Worker) Closed(id ConnID, why How) {
	c := w.find(id)
	if c == nil {
		return
	}
	defer w.recover(c)
	if c.down != nil {
		w.clientClosed(c.down, why)
	} else {
		w.upstreamClosed(c.up, why)
	}
}

// Flush implements Handler.
func (w *Worker) Flush(now time.Duration) (next time.Duration) {
	w.now = max(w.now, now)
	w.timers.advance(w, w.now)
	for i := 0; i < len(w.dirty); i++ { // what fails meanwhile makes more dirty
		c := w.dirty[i]
		c.dirty = false
		w.dirty[i] = nil
		w.write(c)
		w.written(c)
	}
	w.dirty = w.dirty[:0]
	return w.timers.next()
}

// written goes on with what waited for c's bytes to leave.
func (w *Worker) written(c *conn) {
	if c.dead {
		return
	}
	if c.down == nil {
		if c.unsent() <= lowWater {
			w.upstreamDrained(c.up)
		}
		return
	}
	w.checkReader(c.down)
	if c.unsent() == 0 && !c.dead {
		w.closeIfDone(c.down)
	}
}

// recover turns a panic, which is a bug of ours or of a codec, into the end of
// the one connection in whose event it happened.
func (w *Worker) recover(c *conn) {
	if p := recover(); p != nil {
		w.panicked(c, p)
	}
}

// fire tells a timer's owner; a panic ends the owner's connection.
func (w *Worker) fire(t *timer) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked(connOf(t.owner), p)
		}
	}()
	t.owner.expired(w, t)
}

// connOf returns the connection that an owner of timers belongs to, or nil.
func connOf(e expirer) *conn {
	switch o := e.(type) {
	case *downstream:
		return &o.conn
	case *upstream:
		return &o.conn
	case *stream:
		if o.down != nil {
			return &o.down.conn
		}
		if o.up != nil {
			return &o.up.conn
		}
	}
	return nil
}

// panicked ends c, in whose event a panic with the value p happened.
func (w *Worker) panicked(c *conn, p any) {
	w.note(Panic, "cause", fmt.Sprint(p), "stack", string(debug.Stack()))
	if c == nil || c.dead {
		return
	}
	w.driver.Close(c.id, Abort)
	if c.down != nil {
		w.clientGone(c.down)
	} else {
		w.upstreamGone(c.up, codec.Reset, "the upstream connection was given up")
	}
}

// memoOf returns the memo function for c's decoder.
func (w *Worker) memoOf(c *conn) func(uint64) uint64 {
	w.memoUp = c.up
	return w.memo
}

func (w *Worker) memoFor(id uint64) uint64 {
	if w.memoUp == nil {
		return 0
	}
	if s := w.lookup(w.memoUp, id); s != nil {
		return s.origin.Memo
	}
	return 0
}
