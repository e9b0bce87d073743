package sim

import (
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// poison is what a handler finds where it kept a slice that was not its own.
const poison = 0xDB

// worker is one event loop with its handler; it is the handler's driver.
type worker struct {
	n         *Net
	index     int
	h         engine.Handler
	ends      []*end // by ConnID.Index; slot 0 is not used
	free      []uint32
	gens      []uint32
	news      []*end // with something to report
	kicked    bool   // an iteration is scheduled
	iterating bool
	timer     uint64 // counts Flushes, to tell outdated timers
	shown     [2][]byte
	turn      int
}

// end is a worker's side of a link.
type end struct {
	w        *worker
	l        *link
	id       engine.ConnID
	info     engine.ConnInfo
	state    state
	arrived  []byte // delivered, not shown: the kernel's receive buffer
	kept     []byte // shown, not consumed
	fin      bool   // the peer's end of stream arrived
	halfTold bool
	paused   bool
	again    bool // show kept bytes though none are new
	blocked  bool // a Write took less than all
	writable bool // Writable is due
	failed   bool // Connect failed
	lost     bool // reset
	listed   bool // in worker.news
}

type state uint8

const (
	connecting state = iota
	fresh            // Opened is due
	open
	dead
)

func (w *worker) newEnd(l *link, s state) *end {
	var i uint32
	if k := len(w.free); k > 0 {
		i = w.free[k-1]
		w.free = w.free[:k-1]
	} else {
		i = uint32(len(w.ends))
		w.ends = append(w.ends, nil)
		w.gens = append(w.gens, make([]uint32, len(w.ends)-len(w.gens))...)
	}
	w.gens[i]++
	e := &end{w: w, l: l, id: engine.MakeConnID(i, w.gens[i]), state: s}
	w.ends[i] = e
	l.end = e
	return e
}

// find returns the end that the handler may use.
func (w *worker) find(id engine.ConnID) *end {
	if i := id.Index(); int(i) < len(w.ends) {
		if e := w.ends[i]; e != nil && e.id == id {
			return e
		}
	}
	return nil
}

func (w *worker) release(e *end) {
	e.state = dead
	e.arrived, e.kept = nil, nil
	w.ends[e.id.Index()] = nil
	w.free = append(w.free, e.id.Index())
}

func (w *worker) accepted(l *link, info engine.ConnInfo) {
	e := w.newEnd(l, fresh)
	e.info = info
	w.report(e)
	l.move(&l.up)
}

// arrive gets what the network delivers.
func (e *end) arrive(b []byte, fin bool) {
	if e.state == dead {
		return // as after a Clean close: discarded
	}
	e.arrived = append(e.arrived, b...)
	e.fin = e.fin || fin
	e.w.report(e)
}

// roomAgain tells a blocked writer.
func (e *end) roomAgain() {
	if e.blocked {
		e.blocked = false
		e.writable = true
		e.w.report(e)
	}
}

// report has the next iteration look at e.
func (w *worker) report(e *end) {
	if !e.listed {
		e.listed = true
		w.news = append(w.news, e)
	}
	w.kick()
}

// kick schedules an iteration: a little later, so that events accumulate.
func (w *worker) kick() {
	if w.kicked {
		return
	}
	w.kicked = true
	w.n.After(w.n.delay()/8, func() {
		w.kicked = false
		w.iterate()
	})
}

func (w *worker) iterate() {
	n := w.n
	w.iterating = true
	n.note('w', uint64(w.index), len(w.news))
	w.h.Wake(n.now)
	news := w.news
	w.news = nil
	n.rng.Shuffle(len(news), func(i, j int) { news[i], news[j] = news[j], news[i] })
	for _, e := range news {
		e.listed = false
		w.tell(e)
	}
	next := w.h.Flush(n.now)
	w.iterating = false
	w.timer++
	if next == engine.Never {
		return
	}
	// A time in the past is an iteration at once, but time goes on.
	after := max(next-n.now, time.Microsecond)
	if n.o.Envoy {
		after = after.Truncate(time.Millisecond) + time.Millisecond + n.delay()/8
	}
	due := w.timer
	n.After(after, func() {
		if w.timer == due {
			w.iterate()
		}
	})
}

// tell reports all that happened to e, in an order that a real driver may
// have; each step may close it.
func (w *worker) tell(e *end) {
	if e.state == dead {
		return
	}
	if e.failed || e.state == connecting && e.lost {
		w.end(e, engine.ConnectFailed)
		return
	}
	if e.state == fresh {
		e.state = open
		w.n.note('o', uint64(e.id), 0)
		w.h.Opened(e.id, e.info)
		e.l.move(&e.l.up)
	}
	if e.state == open && e.writable && !e.lost {
		e.writable = false
		w.n.note('t', uint64(e.id), 0)
		w.h.Writable(e.id)
	}
	if e.state == open && !e.paused && (!e.lost || w.n.rng.IntN(2) == 0) {
		w.show(e)
	}
	if e.state == open && e.lost {
		w.end(e, engine.Abort)
		return
	}
	if e.state == open && e.fin && !e.halfTold && !e.paused && len(e.arrived) == 0 {
		e.halfTold = true
		w.n.note('h', uint64(e.id), 0)
		w.h.Closed(e.id, engine.Half)
	}
}

func (w *worker) end(e *end, why engine.How) {
	w.release(e)
	w.n.note('c', uint64(e.id), int(why))
	w.h.Closed(e.id, why)
}

// show calls Readable with a copy that is poisoned afterwards and lies
// elsewhere the next time.
func (w *worker) show(e *end) {
	if len(e.arrived) == 0 && (!e.again || len(e.kept) == 0) {
		e.again = false
		return
	}
	e.again = false
	e.kept = append(e.kept, e.arrived...)
	e.arrived = e.arrived[:0]
	e.l.move(&e.l.up)
	w.turn ^= 1
	b := append(w.shown[w.turn][:0], e.kept...)
	w.n.note('r', uint64(e.id), len(b))
	used := w.h.Readable(e.id, b[:len(b):len(b)])
	for i := range b {
		b[i] = poison
	}
	w.shown[w.turn] = b
	if e.state == open {
		if e.kept = e.kept[used:]; len(e.kept) == 0 {
			e.kept = nil
		}
	}
}
