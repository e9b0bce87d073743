package simtest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// server answers requests: one after the other, or as it likes, as the
// profile's servers do.
type server struct {
	w       *world
	addr    netip.AddrPort
	cluster string
	mirror  bool
	goAways int
}

type serverConn struct {
	s      *server
	conn   *sim.Conn
	queue  []answer // to be sent, in the order of the requests
	busy   bool     // a serial server is at work
	ended  bool     // the worker sends no more
	closed bool
	dead   bool    // it is as if the machine were gone
	owner  *client // of a pinned connection
	pushes []uint32
	beats  []uint32 // heartbeats that wait for their answer
}

type answer struct {
	b []byte
	p *pending
}

func (w *world) newServer(i int) *server {
	s := &server{w: w, mirror: i >= 4, cluster: []string{"a", "b", "mirror"}[i/2],
		addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 9000)}
	w.net.Listen(s.addr, func(conn *sim.Conn) {
		c := &serverConn{s: s, conn: conn}
		conn.OnData, conn.OnClose = c.read, c.end
		c.dead = w.mayDie() && w.chance(0.1)
		if w.bulk == slowServers {
			c.dawdle()
		}
	})
	return s
}

// mayDie reports whether servers may fall silent. Heartbeats are what finds
// out; they must not be too rare.
func (w *world) mayDie() bool { return !w.calm && w.heartbeat > 0 && w.heartbeat < time.Minute }

// dawdle stops reading for a while, now and then.
func (c *serverConn) dawdle() {
	w := c.s.w
	c.conn.Pause(true)
	w.net.After(w.upTo(2*time.Second), func() {
		c.conn.Pause(false)
		w.net.After(w.upTo(500*time.Millisecond), func() {
			if !c.closed && !w.over {
				c.dawdle()
			}
		})
	})
}

func (c *serverConn) read(b []byte) int {
	at := 0
	for {
		m, n, err := toy.Parse(b[at:])
		if err != nil {
			c.s.w.fail("a server got nonsense: %v", err)
			return len(b)
		}
		if n == 0 || c.closed {
			return at
		}
		at += n
		if !c.dead {
			c.message(m)
		}
	}
}

func (c *serverConn) message(m toy.Message) {
	w := c.s.w
	switch m.Kind {
	case codec.Request, codec.Oneway:
		p := c.request(m)
		if m.Kind == codec.Request && p != nil {
			c.reply(m, p)
		}
	case codec.Reply: // to a push
		if !take(&c.pushes, m.ID) {
			w.fail("a server got the answer to a push that is not its own")
		}
	case codec.Heartbeat:
		c.conn.Write(toy.Append(nil, codec.HeartbeatReply, 0, m.ID, 0, "", "", nil))
	case codec.HeartbeatReply:
		if !take(&c.beats, m.ID) {
			w.fail("a server got the answer to a heartbeat that is not its own")
		}
	default:
		w.fail("a server got a %v", m.Kind)
	}
}

// take removes id from ids.
func take(ids *[]uint32, id uint32) bool {
	i := slices.Index(*ids, id)
	if i >= 0 {
		*ids = slices.Delete(*ids, i, i+1)
	}
	return i >= 0
}

// request checks what arrives: that it was sent, is whole, and is for us.
func (c *serverConn) request(m toy.Message) *pending {
	w := c.s.w
	token, _, _ := bytes.Cut(m.Payload, []byte("|"))
	p := w.sent[string(token)]
	if p == nil || p.method != m.Method || !bytes.Equal(p.payload, m.Payload) {
		w.fail("a server got what nobody sent: %s %.40q", m.Method, m.Payload)
		return nil
	}
	if m.Tag != p.tag && !w.mutated(m.Tag) {
		w.fail("request %s has tag %q", token, m.Tag)
	}
	if c.owner != nil && c.owner != p.c {
		w.fail("the connection of client %d is used for client %d", c.owner.number, p.c.number)
	}
	if m.Flags&toy.FlagPin != 0 && !c.s.mirror {
		c.owner = p.c
	}
	if c.s.mirror {
		return p
	}
	if w.served[string(token)]++; w.served[string(token)] > 1 {
		w.fail("request %s reached servers twice", token)
	}
	if m.Method == "m0" && c.s.cluster != "a" || m.Method == "mb" && c.s.cluster != "b" {
		w.fail("request %s, a %s, reached cluster %s", token, m.Method, c.s.cluster)
	}
	if w.ring && !w.envoy && !w.wentAway() && p.tag != "" && m.Flags&toy.FlagPin == 0 && (m.Method == "m1" || m.Method == "m2") {
		home := w.homes[c.s.cluster+p.tag]
		if home != nil && home != c.s {
			w.fail("equal hashes of %q reached two endpoints of %s", p.tag, c.s.cluster)
		}
		w.homes[c.s.cluster+p.tag] = c.s
	}
	if m.Kind == codec.Request {
		if w.atWork[p.c]++; w.atWork[p.c] > w.most && w.calm && !w.deadlines {
			w.fail("%d requests of client %d are at work, %d may be", w.atWork[p.c], p.c.number, w.most)
		}
	}
	return p
}

// mutated reports whether a mutation may have set this tag.
func (w *world) mutated(tag string) bool {
	var version int
	n, _ := fmt.Sscanf(tag, "v%d", &version)
	return n == 1 && version > 0 && version <= w.version && strings.TrimLeft(tag[1:], "0123456789") == ""
}

// reply answers after a while.
func (c *serverConn) reply(m toy.Message, p *pending) {
	w := c.s.w
	status := byte(0)
	if w.chance(0.1) {
		status = byte(codec.AppError)
	}
	a := answer{toy.Append(nil, codec.Reply, status, m.ID, 0, m.Method, m.Tag, m.Payload), p}
	if w.hostile && w.chance(0.03) {
		a.b = c.misbehave(a.b)
	}
	c.queue = append(c.queue, a)
	if w.server == codec.InOrder {
		c.work()
		return
	}
	w.net.After(w.upTo(20*time.Millisecond), func() {
		if i := slices.IndexFunc(c.queue, func(x answer) bool { return &x.b[0] == &a.b[0] }); i >= 0 {
			c.queue = slices.Delete(c.queue, i, i+1)
			c.send(a)
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
		return toy.Append(nil, codec.HeartbeatReply, 0, 1, 0, "", "", nil) // never
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
		a := c.queue[0]
		c.queue = c.queue[1:]
		c.send(a)
		c.work()
	})
}

func (c *serverConn) send(a answer) {
	if c.closed {
		return
	}
	w := c.s.w
	if !c.s.mirror {
		w.atWork[a.p.c]--
	}
	c.conn.Write(a.b)
	c.speak()
	if w.proto.Traits().Parallel && w.chance(0.005) {
		c.s.goAways++
		c.conn.Write(toy.Append(nil, codec.GoAway, 0, 0, 0, "", "", nil))
	}
	if !w.calm && w.chance(0.003) {
		c.closed = true
		c.conn.Reset()
		return
	}
	c.closeIfDone()
}

// wentAway reports whether a server has asked for no more requests, which
// spares it for a while.
func (w *world) wentAway() bool {
	return slices.ContainsFunc(w.servers, func(s *server) bool { return s.goAways > 0 })
}

// speak says something that nobody asked for.
func (c *serverConn) speak() {
	w := c.s.w
	if c.owner != nil && w.chance(0.5) {
		w.pushes++
		c.pushes = append(c.pushes, w.pushes)
		c.conn.Write(toy.Append(nil, codec.Push, 0, w.pushes, 0, "news", "", fmt.Append(nil, "push-", c.owner.number)))
	}
	if w.chance(0.01) {
		id := w.rnd.Uint32()
		c.beats = append(c.beats, id)
		c.conn.Write(toy.Append(nil, codec.Heartbeat, 0, id, 0, "", "", nil))
	}
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
