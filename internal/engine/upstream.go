package engine

import (
	"slices"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// pool holds the connections to one endpoint of a cluster.
type pool struct {
	endpoint *Endpoint // nil: the driver's cluster chooses
	cluster  *cluster
	all      *upstream   // linked by nextInPool
	shared   []*upstream // the multiplexed ones among them, one per variant and a few retired ones
	idle     *upstream   // leasable ones without a client, last used first
	idleLast *upstream
	// leaving: until then other endpoints are taken, if there are any; its
	// server has asked for no more requests.
	leaving time.Duration
}

// upstream is a connection to a server.
//
// A multiplexed one is shared by clients; a leased one belongs to one client
// while that has requests in flight on it; a pinned one until the client goes.
type upstream struct {
	conn
	pool                   *pool
	prevInPool, nextInPool *upstream
	prevIdle, nextIdle     *upstream
	isIdle                 bool
	variant                uint8
	multiplexed            bool
	byID                   bool // replies are joined to requests by id, not by order
	pinned                 bool
	retired                bool        // takes no new requests; closed when nothing is in flight
	lessee                 *downstream // of a leased or pinned one
	first, last            *stream     // requests in flight, in the order sent
	inflight               int
	waiters                []*downstream // clients that are not read until it takes more
	alarm                  timer         // connecting: the time-out; open: idleness and heartbeats
	heard                  time.Duration // when it last sent something
	used                   time.Duration // when a request was last sent, or replied to
	beats                  int           // heartbeats sent since it was heard
}

const (
	// poolIdle is how long a connection is kept that nobody uses, and one that
	// neither reads nor says anything though something waits for it.
	poolIdle = 5 * time.Minute
	// look is how often a connection without heartbeats is looked at.
	look = time.Minute
	// leaveQuiet is how long a server is spared that asked for no more requests.
	// It is about to end: a new connection would end with it. Dubbo's providers
	// take 10 s by default.
	leaveQuiet = 10 * time.Second
	// maxBeats is how many heartbeats in a row may go unanswered.
	maxBeats = 3
)

// choose returns the connection on which to send the request, or why there is
// none.
func (w *Worker) choose(d *downstream, s *stream, c *cluster, b []byte, m *codec.Message) (*upstream, codec.Cause, string) {
	w.refresh(c)
	l := d.lis
	multiplex := l.shared && m.Pin != codec.Begin && l.renumberer.CanPutID(m)
	if !multiplex && !s.mirrored {
		if up := d.held(c, w.hashed(d, s, c, b, m), m); up != nil {
			return up, 0, ""
		}
	}
	if c.set != nil && !c.set.Known {
		return nil, codec.NoCluster, "the route's cluster is unknown to the proxy"
	}
	p := w.endpoint(d, s, c, b, m)
	if p == nil {
		return nil, codec.NoUpstream, "the service has no endpoint"
	}
	if multiplex {
		return w.multiplexed(p, m.Variant), 0, ""
	}
	up := p.takeIdle(m.Variant)
	if up == nil {
		up = w.connect(p, m.Variant, l.traits.Server == codec.ByID)
	}
	switch {
	case s.mirrored:
	case m.Pin == codec.Begin:
		up.lessee, up.pinned = d, true
		d.pins = append(d.pins, up)
	default:
		up.lessee = d
		d.leases = append(d.leases, up)
	}
	return up, 0, ""
}

// held returns the connection that d has already for such a request, or nil.
// A request whose hash names an endpoint does not follow its client's others
// elsewhere, except on a pinned connection, which is one conversation.
func (d *downstream) held(c *cluster, hashed *pool, m *codec.Message) *upstream {
	of := d.leases
	if m.Pin == codec.Begin {
		of, hashed = d.pins, nil
	}
	for _, up := range of {
		if up.pool.cluster == c && up.variant == m.Variant && !up.retired && (hashed == nil || up.pool == hashed) {
			return up
		}
	}
	return nil
}

// multiplexed returns the connection to p that clients share.
func (w *Worker) multiplexed(p *pool, variant uint8) *upstream {
	for _, up := range p.shared {
		if up.variant == variant && !up.retired {
			return up
		}
	}
	up := w.connect(p, variant, true)
	up.multiplexed = true
	p.shared = append(p.shared, up)
	return up
}

// connect begins a connection; what is written to it waits until it is open.
func (w *Worker) connect(p *pool, variant uint8, byID bool) *upstream {
	l := p.cluster.lis
	up := &upstream{pool: p, variant: variant, byID: byID, heard: w.now}
	up.conn = conn{id: w.driver.Connect(Target{Cluster: p.cluster.name, Endpoint: p.endpoint}),
		up: up, dec: l.cfg.Protocol.Decoder(codec.FromServer, l.cfg.Limits.Codec)}
	w.adopt(&up.conn)
	if up.nextInPool = p.all; p.all != nil {
		p.all.prevInPool = up
	}
	p.all = up
	timeout := defaultConnectTimeout
	if set := p.cluster.set; set != nil && set.ConnectTimeout > 0 {
		timeout = set.ConnectTimeout
	}
	w.timers.arm(&up.alarm, up, w.now+timeout)
	return up
}

// connected is called when the driver has made the connection.
func (w *Worker) connected(up *upstream) {
	up.opened, up.heard = true, w.now
	w.touch(&up.conn)
	w.armAlarm(up)
}

// armAlarm waits for the connection to have been quiet long enough for a
// heartbeat, or until it is looked at again.
func (w *Worker) armAlarm(up *upstream) {
	l := up.pool.cluster.lis
	if t := l.traits.HeartbeatInterval; t > 0 && l.heartbeater != nil {
		w.timers.arm(&up.alarm, up, up.heard+t)
	} else {
		w.timers.arm(&up.alarm, up, w.now+look)
	}
}

// expired implements expirer: connecting took too long, or nothing happened.
func (up *upstream) expired(w *Worker, _ *timer) {
	l := up.pool.cluster.lis
	interval := l.traits.HeartbeatInterval
	switch {
	case !up.opened:
		w.driver.Close(up.id, Abort)
		w.connectFailed(up, "the upstream did not accept the connection in time")
	case up.unsent() > 0 && up.hold == 0 && w.now-max(up.heard, up.moved) >= poolIdle:
		w.note(UpstreamReset, "cluster", up.pool.cluster.name, "endpoint", up.address(), "how", "does not read", "requests", up.inflight)
		up.pool.cluster.c.Report(up.id, Failed)
		w.driver.Close(up.id, Abort)
		w.upstreamGone(up, codec.Reset, "the upstream did not read the request")
	case up.inflight == 0 && !up.pinned && (up.retired || up.orphaned() || w.now-up.used >= poolIdle):
		up.pool.dropIdle(up)
		w.timers.arm(&up.alarm, up, w.now+look) // it may have something to read before it ends
		w.retire(up)
	case interval > 0 && l.heartbeater != nil:
		w.beat(up, interval)
	default:
		w.armAlarm(up)
	}
}

// orphaned reports whether the endpoint is no more.
func (up *upstream) orphaned() bool { e := up.pool.endpoint; return e != nil && e.Gone.Load() }

// beat sends a heartbeat on a quiet connection, or gives up one that did not
// answer.
func (w *Worker) beat(up *upstream, interval time.Duration) {
	quiet := w.now - up.heard
	switch {
	case quiet < interval:
		w.armAlarm(up)
	case up.hold != 0 || up.unsent() > 0: // we do not listen, or it has not got what was sent
		w.timers.arm(&up.alarm, up, w.now+interval)
	case up.beats >= maxBeats:
		w.note(HeartbeatMissed, "cluster", up.pool.cluster.name, "quiet", quiet)
		w.driver.Close(up.id, Abort)
		w.upstreamGone(up, codec.Reset, "the upstream did not answer heartbeats")
	default:
		up.beats++
		// The highest bit keeps the id apart from those of requests.
		w.setOutput(&up.conn, up.pool.cluster.lis.heartbeater.AppendHeartbeat(w.output(&up.conn), 1<<63|uint64(up.beats)))
		w.timers.arm(&up.alarm, up, w.now+interval)
	}
}

// takeIdle returns the connection used last among those nobody uses, or nil.
func (p *pool) takeIdle(variant uint8) *upstream {
	for up := p.idle; up != nil; up = up.nextIdle {
		if up.variant == variant {
			p.dropIdle(up)
			return up
		}
	}
	return nil
}

func (p *pool) dropIdle(up *upstream) {
	if !up.isIdle {
		return
	}
	if up.prevIdle != nil {
		up.prevIdle.nextIdle = up.nextIdle
	} else {
		p.idle = up.nextIdle
	}
	if up.nextIdle != nil {
		up.nextIdle.prevIdle = up.prevIdle
	} else {
		p.idleLast = up.prevIdle
	}
	up.prevIdle, up.nextIdle, up.isIdle = nil, nil, false
}

// addIdle makes up leasable: next, or after all others.
func (p *pool) addIdle(up *upstream, last bool) {
	up.isIdle = true
	switch {
	case p.idle == nil:
		p.idle, p.idleLast = up, up
	case last:
		up.prevIdle, p.idleLast.nextIdle = p.idleLast, up
		p.idleLast = up
	default:
		up.nextIdle, p.idle.prevIdle = p.idle, up
		p.idle = up
	}
}

// unlease gives a connection without requests in flight back to its pool. One
// that may still be busy with a one-way message is taken last.
func (w *Worker) unlease(up *upstream, busy bool) {
	if d := up.lessee; d != nil {
		if i := slices.Index(d.leases, up); i >= 0 {
			d.leases = slices.Delete(d.leases, i, i+1)
		}
		up.lessee = nil
		w.letGo(&up.conn, holdClient)
	}
	if up.retired {
		w.retire(up)
		return
	}
	up.pool.addIdle(up, busy)
}

// retire closes up as soon as what was written to it has left.
func (w *Worker) retire(up *upstream) {
	up.retired = true
	if up.unsent() == 0 {
		w.giveUp(up)
	}
}

// retireIfDone ends a retired connection on which nothing is in flight.
func (w *Worker) retireIfDone(up *upstream) {
	if up.retired && up.inflight == 0 && !up.pinned && !up.dead {
		w.retire(up)
	}
}

// idleOfClients reports whether nobody waits for a reply of up.
func (up *upstream) idleOfClients() bool {
	for s := up.first; s != nil; s = s.further {
		if s.down != nil && !s.answered {
			return false
		}
	}
	return true
}

// upstreamDrained is called when up took most of what was written to it.
func (w *Worker) upstreamDrained(up *upstream) {
	w.releaseWaiters(up)
	if up.unsent() == 0 {
		w.retireIfDone(up)
	}
}

// waitFor stops reading from d while up has much to read.
func (w *Worker) waitFor(up *upstream, d *downstream) {
	if up.unsent() > highWater {
		w.holdBack(&d.conn, holdUpstream)
		up.waiters = append(up.waiters, d)
	}
}

func (w *Worker) releaseWaiters(up *upstream) {
	for i, d := range up.waiters {
		w.letGo(&d.conn, holdUpstream)
		up.waiters[i] = nil
	}
	up.waiters = up.waiters[:0]
}

// giveUp closes up in order; what it still owes nobody waits for.
func (w *Worker) giveUp(up *upstream) {
	if up.dead {
		return
	}
	w.driver.Close(up.id, Clean)
	w.upstreamGone(up, codec.Reset, "the upstream connection was closed")
}

// upstreamClosed handles what the driver tells of the connection's end.
func (w *Worker) upstreamClosed(up *upstream, why How) {
	switch {
	case !up.opened:
		w.connectFailed(up, "the upstream refused the connection")
		return
	case why == Half:
		w.driver.Close(up.id, Clean)
	}
	if up.inflight > 0 {
		w.note(UpstreamReset, "cluster", up.pool.cluster.name, "endpoint", up.address(), "how", why, "requests", up.inflight)
		up.pool.cluster.c.Report(up.id, Failed)
	}
	w.upstreamGone(up, codec.Reset, "the upstream closed the connection")
}

// connectFailed answers all that waited for the connection.
func (w *Worker) connectFailed(up *upstream, text string) {
	w.note(UpstreamConnectFailed, "cluster", up.pool.cluster.name, "endpoint", up.address())
	up.pool.cluster.c.Report(up.id, Failed)
	w.upstreamGone(up, codec.ConnectFail, text)
}

func (up *upstream) address() string {
	if up.pool.endpoint == nil {
		return ""
	}
	return up.pool.endpoint.Addr.String()
}

// upstreamGone lets go of all that belongs to up; its connection is closed.
func (w *Worker) upstreamGone(up *upstream, cause codec.Cause, text string) {
	if up.dead {
		return
	}
	w.bury(&up.conn)
	w.timers.cancel(&up.alarm)
	p := up.pool
	p.dropIdle(up)
	if up.prevInPool != nil {
		up.prevInPool.nextInPool = up.nextInPool
	} else {
		p.all = up.nextInPool
	}
	if up.nextInPool != nil {
		up.nextInPool.prevInPool = up.prevInPool
	}
	if i := slices.Index(p.shared, up); i >= 0 {
		p.shared = slices.Delete(p.shared, i, i+1)
	}
	d, pinned := up.lessee, up.pinned
	if up.lessee = nil; d != nil {
		if i := slices.Index(d.leases, up); i >= 0 {
			d.leases = slices.Delete(d.leases, i, i+1)
		}
		if i := slices.Index(d.pins, up); i >= 0 {
			d.pins = slices.Delete(d.pins, i, i+1)
		}
	}
	w.releaseWaiters(up)
	for s := up.first; s != nil; s = up.first {
		w.leaveUpstream(s)
		w.fail(s, codec.LocalReply{Cause: cause, Text: text})
	}
	if pinned && d != nil && up.opened {
		w.endClient(d) // its conversation cannot go on elsewhere
	}
}
