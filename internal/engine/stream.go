package engine

import (
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// stream is one request in flight: from the client's bytes to its reply. It
// lives as long as either a client waits (down) or an upstream owes a reply
// (up): a reply that comes after the deadline meets its stream, not a
// stranger's.
type stream struct {
	index, gen uint32

	lis          *listener   // counts it as in flight
	down         *downstream // nil: nobody waits (any more), or a mirrored copy
	older, newer *stream     // of the same client, by arrival

	up               *upstream // nil: not sent, or answered
	earlier, further *stream   // on the same upstream, by sending

	origin   codec.Origin
	kept     [256]byte // origin.Kept's memory
	wireID   uint64    // as sent upstream
	renumber bool      // wireID is ours

	deadline timer
	start    time.Duration
	series   *Series
	endpoint *Endpoint // with its Active counted
	route    *routeState
	mirrored bool
	copied   int    // its bytes, if it is mirrored
	answered bool   // held is the reply …
	held     []byte // … waiting for its turn
}

const (
	streamChunk     = 64
	streamIndexBits = 20
	maxStreams      = 1 << streamIndexBits
	// orphanLife is how long a reply is awaited that nobody wants any more.
	orphanLife = 60 * time.Second
)

// streams is the worker's table of streams. Chunks never move, so pointers
// into them stay valid.
type streams struct {
	chunks []*[streamChunk]stream
	free   *stream // linked by newer
	live   int
}

// take returns an unused stream, or nil when all are in use.
func (t *streams) take() *stream {
	if t.free == nil {
		if len(t.chunks)*streamChunk >= maxStreams {
			return nil
		}
		chunk := new([streamChunk]stream)
		base := uint32(len(t.chunks) * streamChunk)
		t.chunks = append(t.chunks, chunk)
		for i := len(chunk) - 1; i >= 0; i-- {
			chunk[i].index = base + uint32(i)
			chunk[i].newer, t.free = t.free, &chunk[i]
		}
	}
	s := t.free
	t.free, s.newer = s.newer, nil
	t.live++
	return s
}

// at returns the stream with this index, in use or not, or nil.
func (t *streams) at(index uint64) *stream {
	if index >= uint64(len(t.chunks)*streamChunk) {
		return nil
	}
	return &t.chunks[index/streamChunk][index%streamChunk]
}

// id returns what names s on the wire in this many bits: its index and its
// generation, so that a reply to its predecessor is recognised.
func (s *stream) id(bits int) uint64 {
	id := uint64(s.gen)<<streamIndexBits | uint64(s.index)
	if bits < 64 {
		id &= 1<<bits - 1
	}
	return id
}

// lookup returns the stream that a reply with this id on up answers, or nil.
func (w *Worker) lookup(up *upstream, id uint64) *stream {
	if !up.byID {
		return up.first
	}
	if s := w.at(id & (maxStreams - 1)); s != nil && s.up == up && s.wireID == id {
		return s
	}
	if up.multiplexed {
		return nil
	}
	s := up.first // where ids cannot be rewritten they are the client's own
	for s != nil && (s.renumber || s.wireID != id) {
		s = s.further
	}
	return s
}

// wasOurs reports whether id named a request that is over.
func (w *Worker) wasOurs(id uint64) bool {
	s := w.at(id & (maxStreams - 1))
	return s != nil && id>>streamIndexBits < uint64(s.gen)
}

// begin enters a request of d. It returns nil when the table is full.
func (w *Worker) begin(d *downstream, b []byte, m *codec.Message) *stream {
	s := w.take()
	if s == nil {
		return nil
	}
	s.remember(b, m)
	s.start, s.down = w.now, d
	if s.older = d.last; s.older != nil {
		s.older.newer = s
	} else {
		d.first = s
	}
	d.last = s
	d.inflight++
	s.lis = d.lis
	s.lis.inflight++
	return s
}

// remember keeps what local replies need of the request.
func (s *stream) remember(b []byte, m *codec.Message) {
	n := copy(s.kept[:], m.Keep.Of(b))
	s.origin = codec.Origin{ID: m.ID, Memo: m.Memo, Variant: m.Variant, Kept: s.kept[:n]}
}

// leaveClient takes s out of its client's list.
func (w *Worker) leaveClient(s *stream) {
	d := s.down
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		d.first = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		d.last = s.older
	}
	s.older, s.newer, s.down = nil, nil, nil
	d.waiting -= len(s.held)
	d.inflight--
}

// join puts s at the end of what up owes.
func (s *stream) join(up *upstream) {
	s.up = up
	if s.earlier = up.last; s.earlier != nil {
		s.earlier.further = s
	} else {
		up.first = s
	}
	up.last = s
	up.inflight++
}

// leaveUpstream takes s out of what its upstream owes.
func (w *Worker) leaveUpstream(s *stream) {
	up := s.up
	if s.earlier != nil {
		s.earlier.further = s.further
	} else {
		up.first = s.further
	}
	if s.further != nil {
		s.further.earlier = s.earlier
	} else {
		up.last = s.earlier
	}
	s.earlier, s.further, s.up = nil, nil, nil
	up.inflight--
	if s.mirrored {
		up.pool.cluster.copies--
		up.pool.cluster.copied -= s.copied
	}
	if s.endpoint != nil {
		s.endpoint.Active.Add(-1)
		s.endpoint = nil
	}
}

// settle gives s back when neither side needs it.
func (w *Worker) settle(s *stream) {
	if s.down != nil || s.up != nil {
		return
	}
	w.timers.cancel(&s.deadline)
	w.pending -= len(s.held)
	w.buffers.put(s.held)
	if s.lis != nil {
		s.lis.inflight--
	}
	gen, index := s.gen+1, s.index
	s.lis, s.series, s.route, s.held = nil, nil, nil, nil
	s.answered, s.mirrored, s.renumber, s.wireID = false, false, false, 0
	s.gen, s.index = gen, index
	s.newer, w.free = w.free, s
	w.live--
}

// count records how a request ended.
func (w *Worker) count(s *stream, r Result) {
	if s.series == nil {
		return
	}
	s.series.Requests[r]++
	if r != Gone {
		s.series.Duration.Add(uint64((w.now - s.start) / time.Microsecond))
	}
}

// expired implements expirer: the deadline passed, or an orphan's life is over.
func (s *stream) expired(w *Worker, _ *timer) {
	if s.down != nil && !s.answered {
		w.fail(s, codec.LocalReply{Cause: codec.TimedOut, Text: "the upstream did not reply in time"})
		return
	}
	up := s.up
	if up == nil {
		return
	}
	if s.mirrored {
		w.note(MirrorFailed, "cause", "timeout")
	}
	w.leaveUpstream(s)
	w.settle(s)
	switch {
	case up.multiplexed, up.pinned && up.byID:
		w.retireIfDone(up)
	default: // what it would send next cannot be told apart
		w.giveUp(up)
	}
}

// fail answers a request that its upstream will not, or not in time.
func (w *Worker) fail(s *stream, r codec.LocalReply) {
	if s.mirrored {
		w.note(MirrorFailed, "cause", r.Text)
	}
	d, up := s.down, s.up
	if d != nil && !s.answered {
		w.count(s, LocalResult(r.Cause))
		w.answer(s, r)
	}
	if up == nil {
		if d == nil {
			w.settle(s)
		}
		return
	}
	up.pool.cluster.c.Report(up.id, Late)
	w.orphan(s)
	if !up.multiplexed && !up.pinned { // others need not queue behind it; a conversation has no other place
		up.retired = true
		if up.idleOfClients() {
			w.giveUp(up)
		}
	}
}

// orphan deals with a request that nobody waits for any more, but to which its
// upstream may still reply: s waits for that, to drop it, so that the reply
// does not meet another request. Where ids never come twice there is no need.
func (w *Worker) orphan(s *stream) {
	up := s.up
	if up.multiplexed && s.renumber && up.pool.cluster.lis.wideIDs {
		w.leaveUpstream(s)
		w.settle(s)
		w.retireIfDone(up)
		return
	}
	w.timers.arm(&s.deadline, s, w.now+orphanLife)
}

// answer gives a client the engine's own reply, in the reply order.
func (w *Worker) answer(s *stream, r codec.LocalReply) {
	d := s.down
	if s.inTurn() {
		w.setOutput(&d.conn, w.respond(d, w.output(&d.conn), &s.origin, r))
		w.replied(s)
		return
	}
	w.keepReply(s, w.respond(d, w.buffers.get(), &s.origin, r))
}

// keepReply keeps a reply until its turn comes.
func (w *Worker) keepReply(s *stream, b []byte) {
	s.held, s.answered = b, true
	w.pending += len(b)
	s.down.waiting += len(b)
	w.crowd(s.down)
}

// deliver gives a client the upstream's reply b, edited by w.patch, in the
// reply order. Until it is made the upstream owes it: if a codec's bug ends
// this, the upstream's end answers the request.
func (w *Worker) deliver(s *stream, b []byte) {
	if s.inTurn() {
		d := s.down
		out := w.patch.AppendTo(w.output(&d.conn), b)
		w.leaveUpstream(s)
		w.setOutput(&d.conn, out)
		w.replied(s)
		return
	}
	held := w.patch.AppendTo(w.buffers.get(), b)
	w.leaveUpstream(s)
	w.timers.cancel(&s.deadline)
	w.keepReply(s, held)
}

// inTurn reports whether s may be answered before what its client sent
// earlier.
func (s *stream) inTurn() bool { return s.down.first == s || !s.down.lis.inOrder }

// replied ends the client's side of s and lets those out that waited for it.
func (w *Worker) replied(s *stream) {
	d := s.down
	w.leaveClient(s)
	w.settle(s)
	for s = d.first; s != nil && s.answered; s = d.first {
		w.setOutput(&d.conn, append(w.output(&d.conn), s.held...))
		w.leaveClient(s)
		w.settle(s)
	}
	w.clientReplied(d)
}
