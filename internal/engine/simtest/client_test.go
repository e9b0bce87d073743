package simtest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// client is one connection of a client: it sends requests, some before the
// replies to others, and checks every reply.
type client struct {
	w        *world
	conn     *sim.Conn
	number   int
	budget   int // requests that it will send
	depth    int // in flight at most
	sameID   bool
	sent     int
	got      int
	local    int // of them, the proxy's own
	oneways  int
	pending  []*pending // without replies, in order
	finished bool       // it sent its end of stream
	over     bool
	leaves   int // it resets the connection after so many replies; 0: never
}

// pending is a request that waits for its reply.
type pending struct {
	id      uint32
	method  string
	payload []byte
}

func (w *world) startClient() {
	w.begun++
	c := &client{w: w, number: w.begun, budget: 1 + w.rnd.IntN(40), depth: 1 + w.rnd.IntN(8)}
	c.sameID = w.client == codec.InOrder && w.chance(0.3)
	if !w.calm && w.chance(0.2) {
		c.leaves = 1 + w.rnd.IntN(c.budget)
	}
	w.clients = append(w.clients, c)
	c.conn = w.net.Dial("l")
	c.conn.OnData = c.read
	c.conn.OnClose = c.closed
	c.send()
	if w.chance(0.3) {
		c.dawdle()
	}
}

// dawdle stops reading for a while, now and then.
func (c *client) dawdle() {
	c.w.net.After(c.w.upTo(20*time.Millisecond), func() {
		if c.over {
			return
		}
		c.conn.Pause(true)
		c.w.net.After(c.w.upTo(50*time.Millisecond), func() {
			if !c.over {
				c.conn.Pause(false)
				c.dawdle()
			}
		})
	})
}

// send sends until enough is in flight or all is sent.
func (c *client) send() {
	w := c.w
	for !c.over && !c.finished && c.sent < c.budget && len(c.pending) < c.depth {
		c.sent++
		w.tokens++
		id := uint32(c.sent)
		if c.sameID {
			id = 0
		}
		size := w.rnd.IntN(200)
		if w.chance(0.05) {
			size = w.rnd.IntN(min(200_000, 200*w.split)) // not so much that it is slower than clients may be
		}
		p := &pending{id: id, method: fmt.Sprint("m", w.rnd.IntN(3))}
		p.payload = append(fmt.Appendf(nil, "token-%d-%d|", c.number, w.tokens), bytes.Repeat([]byte{byte('a' + c.sent%26)}, size)...)
		kind := codec.Request
		if w.chance(0.1) {
			kind = codec.Oneway
			c.oneways++
		} else {
			c.pending = append(c.pending, p)
		}
		c.conn.Write(toy.Append(nil, kind, 0, id, 0, p.method, "", p.payload))
		if w.chance(0.02) {
			c.conn.Write(toy.Append(nil, codec.Heartbeat, 0, 1<<20, 0, "", "", nil))
		}
	}
	c.endIfDone()
}

// endIfDone ends the connection once all is sent and answered; sometimes the
// end of stream goes out before the replies have come.
func (c *client) endIfDone() {
	if c.over || c.sent < c.budget {
		return
	}
	if !c.finished && (len(c.pending) == 0 || c.w.chance(0.3)) {
		c.finished = true
		c.conn.CloseWrite()
	}
	if c.finished && len(c.pending) == 0 && c.w.chance(0.3) && c.oneways == 0 {
		c.over = true
		c.conn.Close()
	}
}

// read checks what arrives.
func (c *client) read(b []byte) int {
	at := 0
	for !c.over {
		m, n, err := toy.Parse(b[at:])
		if err != nil {
			c.w.fail("client %d got nonsense: %v", c.number, err)
			return len(b)
		}
		if n == 0 {
			break
		}
		at += n
		if m.Kind == codec.Reply {
			c.check(m)
		} else if m.Kind != codec.HeartbeatReply {
			c.w.fail("client %d got a %v", c.number, m.Kind)
		}
		if c.leaves > 0 && c.got >= c.leaves {
			c.over = true
			c.conn.Reset()
			return len(b)
		}
	}
	if !c.over {
		c.send()
	}
	return at
}

// check finds the request that a reply answers.
func (c *client) check(m toy.Message) {
	i := 0
	if c.w.client == codec.ByID {
		i = slices.IndexFunc(c.pending, func(p *pending) bool { return p.id == m.ID })
	}
	if i < 0 || i >= len(c.pending) {
		c.w.fail("client %d got a reply with id %d to nothing", c.number, m.ID)
		return
	}
	p := c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	c.got++
	if m.ID != p.id || m.Method != p.method {
		c.w.fail("client %d: the reply to %d %s has id %d and method %s", c.number, p.id, p.method, m.ID, m.Method)
	}
	if m.Tag == "local" {
		c.local++
		if c.w.calm {
			c.w.fail("client %d was answered by the proxy: %s", c.number, m.Payload[1:])
		}
		return
	}
	if !bytes.Equal(m.Payload, p.payload) {
		c.w.fail("client %d got the reply to another request: %.40q, not %.40q", c.number, m.Payload, p.payload)
	}
}

// closed is called when the worker's direction has ended.
func (c *client) closed(how engine.How) {
	if c.over {
		return
	}
	c.over = true
	c.conn.Close()
	if how == engine.Half && len(c.pending) > 0 && c.w.calm {
		c.w.fail("client %d was closed with %d replies missing", c.number, len(c.pending))
	}
	if how != engine.Half && c.w.calm {
		c.w.fail("client %d: %v", c.number, how)
	}
	if !c.w.calm && c.w.begun < 12 && c.w.chance(0.5) {
		c.w.startClient()
	}
}
