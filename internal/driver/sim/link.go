package sim

import "github.com/aeraki-mesh/aeraki/internal/engine"

// link is one connection: a worker's end, a peer, and a pipe each way.
type link struct {
	n    *Net
	id   uint64
	end  *end // nil until a worker has it
	peer *Conn
	up   pipe // from the peer to the worker
	down pipe // from the worker to the peer
	cut  bool // reset: nothing travels any more
}

// pipe is one direction.
type pipe struct {
	queued []byte // written and not delivered
	fin    bool   // the end of stream follows
	moving bool   // a delivery is scheduled
	done   bool   // the end of stream was delivered
	moved  int    // bytes delivered
}

func (n *Net) newLink() *link {
	n.seq++
	l := &link{n: n, id: n.seq}
	l.peer = &Conn{l: l}
	if n.links = append(n.links, l); len(n.links)%1024 == 0 {
		n.live()
	}
	return l
}

// move schedules a delivery through p if one can happen.
func (l *link) move(p *pipe) {
	if p.moving || l.cut || p.done || len(p.queued) == 0 && !p.fin || l.end == nil || l.end.state == connecting {
		return
	}
	if l.room(p) == 0 && len(p.queued) > 0 {
		return
	}
	p.moving = true
	l.n.After(l.n.delay(), func() {
		p.moving = false
		l.deliver(p)
		l.move(p)
	})
}

// room returns how many bytes the receiver of p can take.
func (l *link) room(p *pipe) int {
	if p == &l.up {
		if l.end.state == dead {
			return 1 << 30 // discarded
		}
		return l.n.o.Buffer - len(l.end.arrived)
	}
	if l.peer.closed {
		return 1 << 30
	}
	if l.peer.paused {
		return max(l.n.o.Buffer-len(l.peer.arrived), 0)
	}
	return l.n.o.Buffer // a peer that reads has room of its own
}

// deliver brings a piece to the receiver, or the end of stream.
func (l *link) deliver(p *pipe) {
	n := l.n
	if l.cut || p.done {
		return
	}
	if n.chance(n.o.ResetProbability) {
		n.note('x', l.id, 0)
		l.reset(true, true)
		return
	}
	piece := min(l.room(p), len(p.queued), n.o.SplitBytes)
	if piece > 1 {
		piece = 1 + n.rng.IntN(piece)
	}
	b := p.queued[:piece]
	p.queued = p.queued[piece:]
	p.moved += piece
	fin := len(p.queued) == 0 && p.fin
	if p == &l.up {
		l.end.arrive(b, fin)
	} else {
		if piece > 0 && l.end.state == open {
			l.end.roomAgain()
		}
		l.peer.arrive(b, fin)
	}
	p.done = p.done || fin && piece == 0
	if fin && piece > 0 { // the end of stream came with the last bytes
		p.done = true
	}
}

// reset breaks the connection. Each side that is to be told learns it after a
// delay of its own.
func (l *link) reset(tellWorker, tellPeer bool) {
	if l.cut {
		return
	}
	l.cut = true
	l.up.queued, l.down.queued = nil, nil
	if e := l.end; e != nil && tellWorker {
		l.n.After(l.n.delay(), func() {
			if e.state != dead {
				e.lost = true
				e.w.report(e)
			}
		})
	}
	if tellPeer {
		l.n.After(l.n.delay(), func() { l.peer.ended(engine.Abort) })
	}
}
