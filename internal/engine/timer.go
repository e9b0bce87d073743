package engine

import (
	"math/bits"
	"time"
)

// timers is a hierarchical timing wheel: arming and cancelling cost the same
// few nanoseconds whatever the number of timers, which matters because nearly
// every request arms one and cancels it. A tick is 1 ms; timers fire at the
// first tick at or after their time, never before.
type timers struct {
	now      int64 // tick up to which everything has fired
	slots    [wheelLevels][wheelSlots]*timer
	occupied [wheelLevels]uint64 // bit i: slots[level][i] is not empty
}

const (
	tick        = time.Millisecond
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 4
	wheelSpan   = 1 << (wheelBits * wheelLevels) // ticks: 4.6 hours
)

// timer is embedded in what it belongs to. The zero timer is not armed.
type timer struct {
	prev, next  *timer
	owner       expirer
	at          int64
	level, slot uint8
	armed       bool
}

// expirer is told that its timer fired; the timer is not armed then.
type expirer interface {
	expired(w *Worker, t *timer)
}

// arm makes t fire at the time at, on the worker's clock; an armed timer is
// moved.
func (ts *timers) arm(t *timer, owner expirer, at time.Duration) {
	if t.armed {
		ts.cancel(t)
	}
	t.owner = owner
	t.at = int64((at + tick - 1) / tick)
	if at > Never-tick {
		t.at = int64(Never / tick)
	}
	ts.insert(t, ts.now+1)
}

// insert files t under the tick at which it fires, at the earliest from.
func (ts *timers) insert(t *timer, from int64) {
	at := min(max(t.at, from), ts.now+wheelSpan-1) // beyond the span: filed again when reached
	level := 0
	for d := at - ts.now; d >= wheelSlots; d >>= wheelBits {
		level++
	}
	slot := at >> (wheelBits * level) & (wheelSlots - 1)
	t.level, t.slot, t.armed = uint8(level), uint8(slot), true
	head := &ts.slots[level][slot]
	t.prev, t.next = nil, *head
	if t.next != nil {
		t.next.prev = t
	}
	*head = t
	ts.occupied[level] |= 1 << slot
}

// cancel takes t out; it may be unarmed.
func (ts *timers) cancel(t *timer) {
	if !t.armed {
		return
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		head := &ts.slots[t.level][t.slot]
		if *head = t.next; *head == nil {
			ts.occupied[t.level] &^= 1 << t.slot
		}
	}
	t.prev, t.next, t.armed = nil, nil, false
}

// nextTick returns the first tick after now at which a slot fires or is filed
// again, or -1.
func (ts *timers) nextTick() int64 {
	next := int64(-1)
	for level := range ts.occupied {
		if ts.occupied[level] == 0 {
			continue
		}
		shift := wheelBits * level
		here := ts.now >> shift
		ahead := bits.RotateLeft64(ts.occupied[level], -int(here&(wheelSlots-1)))
		d := int64(wheelSlots) // the slot that is current now comes round again
		if ahead&^1 != 0 {
			d = int64(bits.TrailingZeros64(ahead &^ 1))
		}
		if at := (here + d) << shift; next < 0 || at < next {
			next = at
		}
	}
	return next
}

// next returns when advance wants to be called, or Never.
func (ts *timers) next() time.Duration {
	if n := ts.nextTick(); n >= 0 {
		return time.Duration(n) * tick
	}
	return Never
}

// advance fires what is due at now.
func (ts *timers) advance(w *Worker, now time.Duration) {
	until := int64(now / tick)
	for {
		n := ts.nextTick()
		if n < 0 || n > until {
			break
		}
		ts.now = n
		ts.turn(w)
	}
	ts.now = max(ts.now, until)
}

// turn files the slots of the upper levels that begin at this tick again and
// fires the lowest level's slot.
func (ts *timers) turn(w *Worker) {
	for level := wheelLevels - 1; level > 0; level-- {
		shift := wheelBits * level
		if ts.now&(1<<shift-1) != 0 {
			continue
		}
		slot := ts.now >> shift & (wheelSlots - 1)
		t := ts.slots[level][slot]
		ts.slots[level][slot] = nil
		ts.occupied[level] &^= 1 << slot
		for t != nil {
			next := t.next
			ts.insert(t, ts.now)
			t = next
		}
	}
	slot := ts.now & (wheelSlots - 1)
	for t := ts.slots[0][slot]; t != nil; t = ts.slots[0][slot] {
		ts.cancel(t)
		if t.at > ts.now { // it was beyond the span
			ts.insert(t, ts.now+1)
			continue
		}
		w.fire(t)
	}
}
