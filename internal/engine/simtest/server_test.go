package simtest

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// server answers requests: one after the other, or as it likes, as the
// profile's servers do.
type server struct {
	w      *world
	addr   netip.AddrPort
	mirror bool
	conns  []*serverConn
}

type serverConn struct {
	s      *server
	conn   *sim.Conn
	queue  [][]byte // replies to be sent, in the order of the requests
	busy   bool     // a serial server is at work
	ended  bool     // the worker sends no more
	closed bool
}

func (w *world) newServer(i int) *server {
	s := &server{w: w, mirror: i >= 4, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 9000)}
	w.net.Listen(s.addr, func(conn *sim.Conn) {
		c := &serverConn{s: s, conn: conn}
		s.conns = append(s.conns, c)
		conn.OnData, conn.OnClose = c.read, c.end
	})
	return s
}

func (c *serverConn) read(b []byte) int {
	at := 0
	for {
		m, n, err := toy.Parse(b[at:])
		if err != nil {
			c.s.w.fail("a server got nonsense: %v", err)
			return len(b)
		}
		if n == 0 {
			return at
		}
		at += n
		c.message(m)
	}
}

func (c *serverConn) message(m toy.Message) {
	w := c.s.w
	switch m.Kind {
	case codec.Request, codec.Oneway:
		token, _, _ := bytes.Cut(m.Payload, []byte("|"))
		if !c.s.mirror {
			if w.served[string(token)]++; w.served[string(token)] > 1 {
				w.fail("request %s reached servers twice", token)
			}
		}
		if m.Kind == codec.Request {
			c.reply(m)
		}
	case codec.Heartbeat:
		c.conn.Write(toy.Append(nil, codec.HeartbeatReply, 0, m.ID, 0, "", "", nil))
	case codec.HeartbeatReply:
	default:
		w.fail("a server got a %v", m.Kind)
	}
}

// reply answers after a while.
func (c *serverConn) reply(m toy.Message) {
	w := c.s.w
	status := byte(0)
	if w.chance(0.1) {
		status = byte(codec.AppError)
	}
	b := toy.Append(nil, codec.Reply, status, m.ID, 0, m.Method, m.Tag, m.Payload)
	if w.hostile && w.chance(0.03) {
		b = c.misbehave(b)
	}
	c.queue = append(c.queue, b)
	if w.server == codec.InOrder {
		c.work()
		return
	}
	w.net.After(w.upTo(20*time.Millisecond), func() {
		if i := slices.IndexFunc(c.queue, func(x []byte) bool { return &x[0] == &b[0] }); i >= 0 {
			c.queue = slices.Delete(c.queue, i, i+1)
			c.send(b)
		}
	})
}

// misbehave returns what a bad server answers instead; never nothing of length
// zero.
func (c *serverConn) misbehave(b []byte) []byte {
	switch c.s.w.rnd.IntN(4) {
	case 0:
		return append(b, b...) // twice
	case 1:
		return []byte("no such protocol, sorry") // nonsense
	case 2:
		return toy.Append(nil, codec.Heartbeat, 0, 1, 0, "", "", nil) // never
	}
	return toy.Append(nil, codec.Reply, 0, c.s.w.rnd.Uint32(), 0, "m0", "", []byte("to nobody"))
}

// work lets a serial server answer the oldest request.
func (c *serverConn) work() {
	if c.busy || len(c.queue) == 0 {
		return
	}
	c.busy = true
	c.s.w.net.After(c.s.w.upTo(5*time.Millisecond), func() {
		c.busy = false
		if c.closed {
			return
		}
		b := c.queue[0]
		c.queue = c.queue[1:]
		c.send(b)
		c.work()
	})
}

func (c *serverConn) send(b []byte) {
	if c.closed {
		return
	}
	c.conn.Write(b)
	w := c.s.w
	if w.proto.T.Parallel && w.chance(0.005) {
		c.conn.Write(toy.Append(nil, codec.GoAway, 0, 0, 0, "", "", nil))
	}
	if !w.calm && w.chance(0.003) {
		c.closed = true
		c.conn.Reset()
		return
	}
	c.closeIfDone()
}

func (c *serverConn) end(how engine.How) {
	c.ended = true
	if how != engine.Half {
		c.closed = true
		c.conn.Close()
		return
	}
	c.closeIfDone()
}

func (c *serverConn) closeIfDone() {
	if c.ended && !c.closed && len(c.queue) == 0 && !c.busy {
		c.closed = true
		c.conn.Close()
	}
}
