package engine

import (
	"bytes"
	"slices"

	"github.com/aeraki-mesh/aeraki/codec"
)

// readUpstream handles the bytes that a server sent and returns how many of
// them it is done with.
func (w *Worker) readUpstream(up *upstream, b []byte) int {
	up.heard, up.beats = w.now, 0
	l := up.pool.cluster.lis
	at := 0
	for at < len(b) && up.hold == 0 && !up.dead {
		m, err := w.next(&up.conn, b[at:], l.cfg.Routes.ReplyWant(), l.cfg.Limits.Codec.Message)
		if err != nil {
			w.badReply(up, err)
			return len(b)
		}
		if m == nil {
			break
		}
		size := int(m.Size)
		w.upstreamMessage(up, b[at:at+size], m)
		at += size
	}
	if up.dead {
		return len(b)
	}
	return at
}

// badReply gives up a server that does not speak the protocol.
func (w *Worker) badReply(up *upstream, err error) {
	w.note(BadReplyBytes, "cluster", up.pool.cluster.name, "endpoint", up.address(), "cause", err)
	up.pool.cluster.c.Report(up.id, Failed)
	w.driver.Close(up.id, Abort)
	w.upstreamGone(up, codec.BadReply, "the upstream's reply could not be decoded")
}

// upstreamMessage handles one whole message of a server.
func (w *Worker) upstreamMessage(up *upstream, b []byte, m *codec.Message) {
	switch m.Kind {
	case codec.Reply:
		w.reply(up, b, m)
	case codec.Push, codec.Request, codec.Oneway:
		w.push(up, b, m)
	case codec.Heartbeat:
		// One that does not read gets no answers: holding it back could be a
		// deadlock, because it may wait for us to read.
		if h := up.pool.cluster.lis.heartbeater; h != nil && up.unsent() <= highWater {
			w.setOutput(&up.conn, h.AppendHeartbeatReply(w.output(&up.conn), b, m))
		}
	case codec.HeartbeatReply:
	case codec.GoAway:
		w.note(UpstreamGoAway)
		up.pool.leaving = w.now + leaveQuiet
		up.retired = true
		up.pool.dropIdle(up)
		w.retireIfDone(up)
	default:
		w.badReply(up, errUnexpected)
	}
}

// reply hands a server's reply to the client whose request it answers.
func (w *Worker) reply(up *upstream, b []byte, m *codec.Message) {
	s := w.lookup(up, m.ID)
	if s == nil {
		if up.multiplexed && up.pool.cluster.lis.wideIDs && w.wasOurs(m.ID) {
			w.noteLate(up)
			return
		}
		w.note(StrayReply, "cluster", up.pool.cluster.name, "endpoint", up.address(), "id", m.ID)
		if !up.byID {
			delete(up.pool.cluster.lis.silent, string(m.Keep.Of(b)))
			w.giveUp(up) // what it sends next cannot be trusted
		}
		return
	}
	if !up.byID && up.pool.cluster.lis.renumberer != nil && !s.answeredBy(b, m) {
		if s = w.skip(up, b, m); s == nil {
			w.badReply(up, errOutOfOrder)
			return
		}
	}
	up.used = w.now
	switch {
	case s.mirrored, s.down == nil, s.answered:
		if !s.mirrored {
			w.noteLate(up)
		}
		w.leaveUpstream(s)
		w.settle(s)
	case s.renumber && !up.pool.cluster.lis.renumberer.CanPutID(m):
		w.badReply(up, errUnexpected) // not in the variant in which it was asked
		return
	default:
		w.pass(s, up, b, m)
	}
	if up.inflight == 0 && !up.multiplexed && !up.pinned && !up.dead && !up.isIdle {
		w.unlease(up, false)
	} else {
		w.retireIfDone(up)
	}
}

func (w *Worker) noteLate(up *upstream) {
	if w.tally(LateReply) {
		w.say(LateReply, "cluster", up.pool.cluster.name, "endpoint", up.address())
	}
}

// answeredBy reports whether the reply m in b is to s: it has its id and, where
// ids are the client's and need not be unique on its connection, its name.
func (s *stream) answeredBy(b []byte, m *codec.Message) bool {
	return m.ID == s.wireID && (s.renumber || m.Keep.Len == 0 || bytes.Equal(m.Keep.Of(b), s.origin.Kept))
}

// skip returns the request on up that the reply m in b is to, and takes those
// before it for one-way messages in the guise of requests; nil if the protocol
// has no such thing, or the reply is to none.
func (w *Worker) skip(up *upstream, b []byte, m *codec.Message) *stream {
	if !up.pool.cluster.lis.traits.SilentRequests {
		return nil
	}
	s := up.first
	for s != nil && !s.answeredBy(b, m) {
		s = s.further
	}
	if s == nil {
		return nil
	}
	for up.first != s {
		mute := up.first
		w.leaveUpstream(mute)
		up.pool.cluster.lis.learnSilent(mute.origin.Kept)
		if mute.down == nil || mute.answered {
			w.settle(mute)
			continue
		}
		w.count(mute, OnewaySent)
		w.replied(mute)
	}
	return s
}

// pass filters a reply and delivers it.
func (w *Worker) pass(s *stream, up *upstream, b []byte, m *codec.Message) {
	l := s.down.lis
	w.patch.Reset()
	if len(s.route.Replies) > 0 {
		x := &w.exchange
		x.begin(up.dec, b, m, s.route)
		for _, f := range s.route.Replies {
			f.OnReply(x)
		}
		w.edit(l, b, m)
	}
	if s.renumber {
		l.renumberer.PutID(b, m, s.origin.ID)
	}
	w.count(s, Result(m.Status))
	s.series.Response.Add(uint64(len(b)))
	up.pool.cluster.c.Report(up.id, Served)
	w.deliver(s, b)
}

// push hands a server's own request to the client that it is for: only a
// pinned connection has one.
func (w *Worker) push(up *upstream, b []byte, m *codec.Message) {
	d := up.lessee
	if !up.pinned || d == nil || d.unsent() > slowClient || len(d.pushes) >= maxPushes {
		w.note(PushDropped, "cluster", up.pool.cluster.name, "endpoint", up.address())
		return
	}
	if m.Kind != codec.Oneway {
		p := push{id: m.ID, wireID: m.ID, up: up}
		if r := d.lis.renumberer; r != nil && r.CanPutID(m) { // servers choose ids without knowing of each other
			d.lastPush = (d.lastPush + 1) & (1<<31 - 1)
			p.wireID = d.lastPush
			r.PutID(b, m, p.wireID)
		}
		d.pushes = append(d.pushes, p)
	}
	w.setOutput(&d.conn, append(w.output(&d.conn), b...))
	w.crowd(d)
}

// answerPush hands a client's answer to the server that asked.
func (w *Worker) answerPush(d *downstream, b []byte, m *codec.Message) {
	i := slices.IndexFunc(d.pushes, func(p push) bool { return p.wireID == m.ID })
	r := d.lis.renumberer
	if i < 0 || d.pushes[i].up.dead || d.pushes[i].id != m.ID && !r.CanPutID(m) {
		w.note(StrayReply, "client", d.remote, "id", m.ID)
		return
	}
	up := d.pushes[i].up
	if d.pushes[i].id != m.ID {
		r.PutID(b, m, d.pushes[i].id)
	}
	d.pushes = slices.Delete(d.pushes, i, i+1)
	w.setOutput(&up.conn, append(w.output(&up.conn), b...))
	w.waitFor(up, d)
}
