package sim

import (
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

var _ engine.Driver = (*worker)(nil)

// Write implements engine.Driver.
func (w *worker) Write(id engine.ConnID, bufs [][]byte) int {
	e := w.find(id)
	if e == nil || e.state != open || e.l.down.fin {
		return 0
	}
	p := &e.l.down
	room := w.n.o.Buffer - len(p.queued)
	taken := 0
	for _, b := range bufs {
		if !w.n.o.Envoy && len(b) > room-taken {
			b = b[:max(room-taken, 0)]
			e.blocked = true
		}
		taken += len(b)
		if !e.l.cut { // else it goes nowhere, until the worker learns that
			p.queued = append(p.queued, b...)
		}
		if e.blocked {
			break
		}
	}
	w.n.note('W', uint64(id), taken)
	e.l.move(p)
	return taken
}

// SetReading implements engine.Driver.
func (w *worker) SetReading(id engine.ConnID, on bool) {
	e := w.find(id)
	if e == nil {
		return
	}
	if e.paused = !on; on {
		e.again = true
		w.report(e)
		e.l.move(&e.l.up)
	}
}

// Close implements engine.Driver.
func (w *worker) Close(id engine.ConnID, how engine.How) {
	e := w.find(id)
	if e == nil {
		return
	}
	w.n.note('C', uint64(id), int(how))
	l := e.l
	switch {
	case how == engine.Half:
		if e.state != connecting {
			l.down.fin = true
			l.move(&l.down)
		}
		return
	case e.state == connecting:
		w.release(e)
		l.cut = true
		l.peer.closed = true
		return
	}
	w.release(e)
	if how == engine.Clean {
		l.down.fin = true
		l.move(&l.down)
		l.move(&l.up) // what the peer still sends is discarded
		return
	}
	l.reset(false, true)
}

// Connect implements engine.Driver.
func (w *worker) Connect(t engine.Target) engine.ConnID {
	n := w.n
	l := n.newLink()
	e := w.newEnd(l, connecting)
	ep := t.Endpoint
	if n.o.Envoy {
		if ep != nil {
			panic("sim: a driver inside Envoy cannot choose the endpoint")
		}
		ep = n.clusters.pick(n.rng, t)
	}
	n.note('N', uint64(e.id), 0)
	n.After(n.delay(), func() { w.connect(e, ep) })
	return e.id
}

// connect is the moment at which the server answers.
func (w *worker) connect(e *end, ep *engine.Endpoint) {
	if e.state != connecting {
		return
	}
	n := w.n
	fails := ep == nil || n.chance(n.o.ConnectFailProbability)
	var accept func(*Conn)
	if !fails {
		fails = true
		for _, s := range n.servers {
			if s.addr == ep.Addr {
				fails, accept = false, s.accept
			}
		}
	}
	switch {
	case fails:
		e.failed = true
		e.l.cut = true
		e.l.peer.closed = true
		w.report(e)
	case accept != nil:
		e.state = fresh
		e.info = engine.ConnInfo{Remote: ep.Addr}
		if n.o.Envoy {
			e.info = engine.ConnInfo{}
		}
		w.report(e)
		accept(e.l.peer)
	}
}

// Cluster implements engine.Driver.
func (w *worker) Cluster(name string) engine.Cluster { return w.n.clusters.Cluster(name) }
