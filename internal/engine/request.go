package engine

import (
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// request serves one request or one-way message of a client.
func (w *Worker) request(d *downstream, b []byte, m *codec.Message) {
	s := w.begin(d, b, m)
	if s == nil {
		w.note(ConnectionRefused, "client", d.remote, "cause", "over a million requests in flight")
		w.endClient(d)
		return
	}
	s.series = d.lis.noRoute
	if m.Unread && w.tally(Unread) {
		w.say(Unread, "client", d.remote, "listener", d.lis.cfg.Name, "variant", m.Variant)
	}
	if m.Kind == codec.Request && d.lis.isSilent(s.origin.Kept) {
		m.Kind = codec.Oneway
	}
	if m.Kind == codec.Oneway {
		// Nobody waits: it is not one of the client's requests in flight.
		defer w.settle(s)
		w.leaveClient(s)
	}
	if d.inflight >= d.lis.cfg.Limits.RequestsPerConnection {
		w.holdBack(&d.conn, holdRequests)
	}
	if d.lis.inflight > d.lis.cfg.Limits.Requests || w.pending > maxPending {
		w.refuse(s, codec.LocalReply{Cause: codec.Overflow, Text: "the proxy has too many requests in flight"})
		return
	}
	r := d.lis.cfg.Routes.Match(&w.matcher, d.dec, b, m)
	if r == nil {
		w.refuse(s, codec.LocalReply{Cause: codec.NoRoute, Text: "no route matches the request"})
		return
	}
	w.route(d, s, d.lis.routes[r.Index], b, m)
}

// refuse ends a request before it was sent anywhere.
func (w *Worker) refuse(s *stream, r codec.LocalReply) {
	if s.down != nil {
		w.fail(s, r)
		return
	}
	w.count(s, LocalResult(r.Cause)) // one-way, or mirrored: nobody to tell
}

// route runs the route's filters, chooses a cluster and sends the request.
func (w *Worker) route(d *downstream, s *stream, rs *routeState, b []byte, m *codec.Message) {
	i := rs.picker.next()
	s.route, s.series = rs, rs.series[i]
	w.patch.Reset()
	x := &w.exchange
	x.copies = x.copies[:0] // a panic may have left some
	if len(rs.Requests) > 0 {
		x.begin(d.dec, b, m, rs)
		if !x.runRequest() {
			w.refuse(s, x.reply)
			return
		}
		w.edit(d.lis, b, m)
	}
	w.measure(s, b)
	cause, text := w.forward(d, s, rs.clusters[i], b, m)
	if text != "" {
		w.refuse(s, codec.LocalReply{Cause: cause, Text: text})
	} else {
		w.sent(d, s, m)
	}
	if len(x.copies) > 0 {
		w.mirror(d, rs, b, m)
	}
}

func (w *Worker) measure(s *stream, b []byte) { s.series.Request.Add(uint64(len(b))) }

// sent arms the request's deadline, or counts what has none.
func (w *Worker) sent(d *downstream, s *stream, m *codec.Message) {
	if s.down == nil {
		w.count(s, OnewaySent)
		return
	}
	if t := deadline(s.route.Timeout, m.Timeout); t > 0 {
		w.timers.arm(&s.deadline, s, s.start+t)
	}
}

// deadline is the shorter of the route's and the client's; 0 is none.
func deadline(route, client time.Duration) time.Duration {
	if route == 0 || client > 0 && client < route {
		return client
	}
	return route
}

// edit turns the exchange's edits into w.patch.
func (w *Worker) edit(l *listener, b []byte, m *codec.Message) {
	x := &w.exchange
	if len(x.edits) == 0 {
		return
	}
	err := codec.ErrNoCarrier
	if l.mutator != nil {
		err = l.mutator.Mutate(&w.patch, b, m, x.edits)
	}
	if err != nil {
		w.patch.Reset()
		if w.tally(EditRefused) {
			w.say(EditRefused, "listener", l.cfg.Name, "cause", err)
		}
	}
}

// forward appends the request to an upstream connection's output. A text
// means that it could not, and why.
func (w *Worker) forward(d *downstream, s *stream, c *cluster, b []byte, m *codec.Message) (codec.Cause, string) {
	up, cause, text := w.choose(d, s, c, b, m)
	if up == nil {
		return cause, text
	}
	if s.mirrored && up.unsent() > highWater {
		if up.inflight == 0 && !up.multiplexed && !up.isIdle {
			w.unlease(up, true)
		}
		return codec.Overflow, mirrorBusy
	}
	l := d.lis
	s.wireID, s.renumber = m.ID, false
	if l.renumberer != nil && l.renumberer.CanPutID(m) {
		s.wireID, s.renumber = s.id(l.renumberer.Bits()), true
		l.renumberer.PutID(b, m, s.wireID)
	}
	w.setOutput(&up.conn, w.patch.AppendTo(w.output(&up.conn), b))
	up.used = w.now
	if m.Kind != codec.Oneway {
		s.join(up)
		if c.set != nil && c.set.Policy == LeastRequest && up.pool.endpoint != nil {
			s.endpoint = up.pool.endpoint
			s.endpoint.Active.Add(1)
		}
	} else if up.inflight == 0 && !up.multiplexed && !up.pinned && !up.isIdle {
		w.unlease(up, true)
	}
	if !s.mirrored {
		w.waitFor(up, d)
	}
	return 0, ""
}

// mirror sends copies of the request in hand, as edited; nobody waits for
// their replies, and nobody notices when they fail.
func (w *Worker) mirror(d *downstream, rs *routeState, b []byte, m *codec.Message) {
	for _, i := range w.exchange.copies {
		c := rs.copies[i]
		s := w.take()
		if s == nil {
			w.noteMirror(c, "too many requests in flight")
			return
		}
		s.remember(b, m)
		s.start, s.mirrored, s.copied = w.now, true, len(b)
		text := mirrorBusy
		if c.copies < maxCopies && c.copied <= maxCopied {
			_, text = w.forward(d, s, c, b, m)
		}
		if text != "" {
			w.noteMirror(c, text)
			w.settle(s)
			continue
		}
		w.note(MirrorSent)
		if s.up == nil {
			w.settle(s) // one-way
			continue
		}
		c.copies++
		c.copied += s.copied
		w.timers.arm(&s.deadline, s, w.now+orphanLife)
	}
}

// A mirror that hangs must not take the memory and the connections that real
// requests need: so many copies, and bytes of them, may wait for a reply.
const (
	maxCopies  = 1024
	maxCopied  = 16 << 20
	mirrorBusy = "the mirror does not keep up"
)

func (w *Worker) noteMirror(c *cluster, cause string) {
	if w.tally(MirrorFailed) {
		w.say(MirrorFailed, "cluster", c.name, "cause", cause)
	}
}
