package engine

import (
	"net/netip"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// downstream is a client's connection.
type downstream struct {
	conn
	lis         *listener
	remote      netip.AddrPort
	first, last *stream // requests in flight, oldest first
	inflight    int
	leases      []*upstream   // connections that only this client uses now
	pins        []*upstream   // connections that only this client uses until it goes
	pushes      []push        // pushes that it has not answered, oldest first
	lastPush    uint64        // the id that the last of them got
	active      time.Duration // when it last sent or got something
	checked     int           // bytes of the message that is arriving when slow was armed
	idle, slow  timer
	stall       timer // armed while it does not read what waits for it
	waiting     int   // bytes of replies that wait for their turn
	sniffed     bool
	sniffing    bool          // its first bytes do not tell the protocol yet
	ended       bool          // it sends no more
	draining    bool          // it is to be closed when idle …
	leaveBy     time.Duration // … and then at the latest
}

// push is a server's request to a client: its id as the server sent it and as
// the client got it, and who sent it.
type push struct {
	id, wireID uint64
	up         *upstream
}

// maxPushes bounds the pushes to one client that are not answered.
const maxPushes = 1024

// accept takes a new client connection.
func (w *Worker) accept(id ConnID, in ConnInfo) {
	l := w.listeners[in.Listener]
	if l == nil {
		w.driver.Close(id, Clean)
		return
	}
	if n := l.conns.Add(1); n > int64(l.cfg.Limits.Connections) {
		l.conns.Add(-1)
		w.note(ConnectionRefused, "listener", in.Listener, "client", in.Remote, "limit", l.cfg.Limits.Connections)
		w.driver.Close(id, Abort)
		return
	}
	w.accepted++
	d := &downstream{lis: l, remote: in.Remote, active: w.now}
	d.conn = conn{id: id, opened: true, down: d, dec: l.cfg.Protocol.Decoder(codec.FromClient, l.cfg.Limits.Codec)}
	w.adopt(&d.conn)
	w.armIdle(d)
	if w.draining || l.removed {
		w.drainClient(d)
	}
}

func (w *Worker) armIdle(d *downstream) {
	if t := d.lis.cfg.IdleTimeout; t > 0 {
		w.timers.arm(&d.idle, d, d.active+t)
	}
}

// expired implements expirer: the client was idle, or slow.
func (d *downstream) expired(w *Worker, t *timer) {
	if t == &d.slow {
		w.checkSlow(d)
		return
	}
	if t == &d.stall {
		w.checkStall(d)
		return
	}
	timeout := d.lis.cfg.IdleTimeout
	if d.draining {
		timeout = drainQuiet
	}
	switch {
	case timeout == 0:
	case d.draining && w.now >= d.leaveBy:
		w.endClient(d)
	case d.inflight > 0:
		w.timers.arm(&d.idle, d, w.now+timeout)
	case w.now-d.active < timeout:
		w.timers.arm(&d.idle, d, d.active+timeout)
	default:
		w.endClient(d)
	}
}

const (
	// drainQuiet is how long a client that was asked to go away must be silent
	// before its connection is closed for it.
	drainQuiet = 5 * time.Second
	// drainLong is how long it may send requests in spite of it.
	drainLong = time.Minute
)

// expectMore gives d until slowMessage to go on with what it has begun to send.
func (w *Worker) expectMore(d *downstream) {
	d.checked = d.seen
	w.timers.arm(&d.slow, d, w.now+slowMessage)
}

// checkSlow closes a client that sends one message byte by byte.
func (w *Worker) checkSlow(d *downstream) {
	switch {
	case d.msg == nil && d.sniffed:
	case d.hold != 0 || d.seen-d.checked >= minProgress:
		w.expectMore(d)
	default:
		w.note(SlowMessage, "client", d.remote, "listener", d.lis.cfg.Name, "arrived", d.seen)
		w.endClient(d)
	}
}

// readClient handles the bytes that a client sent and returns how many of
// them it is done with.
func (w *Worker) readClient(d *downstream, b []byte) int {
	d.active = w.now
	if !d.sniffed && !w.sniff(d, b) {
		return 0
	}
	at := 0
	for at < len(b) && d.hold == 0 && !d.dead {
		m, err := w.next(&d.conn, b[at:], d.lis.cfg.Routes.Want(), d.lis.cfg.Limits.Codec.Message)
		if err != nil {
			w.note(BadRequestBytes, "client", d.remote, "listener", d.lis.cfg.Name, "cause", err)
			w.endClient(d)
			return len(b)
		}
		if m == nil {
			break
		}
		w.message(d, b[at:at+int(m.Size)], m)
		at += int(m.Size)
	}
	if d.hold&holdClosing != 0 || d.dead {
		return len(b)
	}
	if d.ended {
		w.touch(&d.conn)
	}
	return at
}

// sniff looks at a client's first bytes.
func (w *Worker) sniff(d *downstream, b []byte) bool {
	verdict := d.lis.cfg.Protocol.Sniff(b)
	d.sniffing = verdict == codec.More
	switch verdict {
	case codec.Yes:
		d.sniffed = true
		return true
	case codec.No:
		w.note(ForeignProtocol, "client", d.remote, "listener", d.lis.cfg.Name, "protocol", d.lis.traits.Name,
			"bytes", string(b[:min(len(b), 16)]))
		w.endClient(d)
	case codec.More:
		if !d.slow.armed {
			w.expectMore(d)
		}
	}
	return false
}

// message handles one whole message of a client.
func (w *Worker) message(d *downstream, b []byte, m *codec.Message) {
	switch m.Kind {
	case codec.Request, codec.Oneway:
		w.request(d, b, m)
	case codec.Heartbeat:
		if h := d.lis.heartbeater; h != nil {
			w.setOutput(&d.conn, h.AppendHeartbeatReply(w.output(&d.conn), b, m))
			w.crowd(d)
		}
	case codec.Reply:
		w.answerPush(d, b, m)
	case codec.HeartbeatReply, codec.GoAway:
	default:
		w.note(BadRequestBytes, "client", d.remote, "listener", d.lis.cfg.Name, "cause", "unexpected "+m.Kind.String())
		w.endClient(d)
	}
}

// clientReplied is called when a reply was queued for d.
func (w *Worker) clientReplied(d *downstream) {
	d.active = w.now
	w.crowd(d)
	if d.inflight < d.lis.cfg.Limits.RequestsPerConnection {
		w.letGo(&d.conn, holdRequests)
	}
}

// crowd stops whatever makes more for a client that has much to read, or whose
// replies wait for one that comes before them: that one's server is read.
func (w *Worker) crowd(d *downstream) {
	if d.unsent()+d.waiting <= highWater {
		return
	}
	w.holdBack(&d.conn, holdOut)
	w.eachOwn(d, func(up *upstream) {
		if d.unsent() > highWater || d.first == nil || d.first.up != up {
			w.holdBack(&up.conn, holdClient)
		}
	})
}

// eachOwn calls f for the connections that only d uses.
func (w *Worker) eachOwn(d *downstream, f func(up *upstream)) {
	for _, up := range d.leases {
		f(up)
	}
	for _, up := range d.pins {
		f(up)
	}
}

// checkReader is called when d was written to, as far as it reads.
func (w *Worker) checkReader(d *downstream) {
	if n := d.unsent() + d.waiting; int64(n) > slowClient+d.lis.cfg.Limits.Codec.Message {
		w.abortSlow(d)
		return
	}
	switch {
	case d.unsent() == 0:
		w.timers.cancel(&d.stall)
	case !d.stall.armed:
		d.moved = w.now
		w.timers.arm(&d.stall, d, w.now+slowRead)
	}
	if d.unsent() > lowWater {
		return
	}
	if d.waiting > lowWater { // held replies leave when those before them have come
		if s := d.first; s != nil && s.up != nil {
			w.letGo(&s.up.conn, holdClient)
		}
		return
	}
	w.letGo(&d.conn, holdOut)
	w.eachOwn(d, func(up *upstream) { w.letGo(&up.conn, holdClient) })
}

// checkStall gives up a client that has read nothing for slowRead.
func (w *Worker) checkStall(d *downstream) {
	if w.now-d.moved < slowRead {
		w.timers.arm(&d.stall, d, d.moved+slowRead)
		return
	}
	w.abortSlow(d)
}

func (w *Worker) abortSlow(d *downstream) {
	w.note(SlowReader, "client", d.remote, "listener", d.lis.cfg.Name, "unread", d.unsent()+d.waiting)
	w.driver.Close(d.id, Abort)
	w.clientGone(d)
}

// endClient stops reading from d and closes it when what it is owed was sent.
func (w *Worker) endClient(d *downstream) {
	w.putMessage(&d.conn)
	w.holdBack(&d.conn, holdClosing)
	d.ended = true
	w.touch(&d.conn)
}

// touch makes the iteration's end look at c.
func (w *Worker) touch(c *conn) {
	if !c.dirty && !c.dead {
		c.dirty = true
		w.dirty = append(w.dirty, c)
	}
}

// drainClient asks d to go away and closes it when it is idle. Where the
// protocol has a word for it, the client closes by itself, and may have a
// request under way; otherwise there is nothing to wait for but its requests.
func (w *Worker) drainClient(d *downstream) {
	if d.draining {
		return
	}
	d.draining, d.leaveBy = true, w.now+drainLong
	w.timers.arm(&d.idle, d, w.now+drainQuiet)
	if d.lis.goAwayer != nil {
		w.setOutput(&d.conn, d.lis.goAwayer.AppendGoAway(w.output(&d.conn)))
	}
	w.touch(&d.conn)
}

// closeIfDone closes a client that will not be served any more, once it has
// all it is owed.
func (w *Worker) closeIfDone(d *downstream) {
	if d.dead || d.inflight > 0 || d.unsent() > 0 {
		return
	}
	leave := d.ended && (d.hold&holdClosing != 0 || !d.left || d.hold == 0)
	if d.draining && d.lis.goAwayer == nil && !d.left {
		leave = true
	}
	if leave {
		w.driver.Close(d.id, Clean)
		w.clientGone(d)
	}
}

// clientClosed handles the end of a client's connection.
func (w *Worker) clientClosed(d *downstream, why How) {
	if (d.msg != nil || d.sniffing) && d.hold == 0 { // else the rest may not have been read
		d.sniffing = false
		w.note(TruncatedMessage, "client", d.remote, "listener", d.lis.cfg.Name)
		w.endClient(d) // what is there can be no message any more
	}
	if why == Half {
		d.ended = true // it still waits for replies
		w.touch(&d.conn)
		return
	}
	w.clientGone(d)
}

// clientGone lets go of all that belongs to d; its connection is closed.
func (w *Worker) clientGone(d *downstream) {
	if d.dead {
		return
	}
	w.bury(&d.conn)
	w.timers.cancel(&d.idle)
	w.timers.cancel(&d.slow)
	w.timers.cancel(&d.stall)
	d.lis.conns.Add(-1)
	for s := d.first; s != nil; s = d.first {
		if !s.answered {
			w.count(s, Gone)
		}
		w.leaveClient(s)
		if s.up != nil {
			w.orphan(s)
		} else {
			w.settle(s)
		}
	}
	for _, up := range d.leases {
		up.lessee = nil
		w.letGo(&up.conn, holdClient)
	}
	d.leases = nil
	pins := d.pins
	d.pins, d.pushes = nil, nil
	for _, up := range pins {
		up.lessee = nil
		w.giveUp(up)
	}
	if d.lis.removed {
		w.retireClusters(d.lis)
	}
}
