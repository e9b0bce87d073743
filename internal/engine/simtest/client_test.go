package simtest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// client is one connection of a client: it sends requests, some before the
// replies to others, and checks every reply.
type client struct {
	w       *world
	conn    *sim.Conn
	number  int
	budget  int // requests that it will send
	depth   int // in flight at most
	sent    int
	got     int
	local   int        // of them, the proxy's own
	oneways int        // of those sent
	pending []*pending // without replies, in order
	beats   int        // heartbeats without answers
	spoke   time.Duration

	// How it is.
	sameID  bool
	leaves  int  // it resets the connection after so many replies; 0: never
	lingers bool // it waits to be closed
	rude    bool // its last message is over the limit
	deaf    bool // it does not care for being asked to go away

	sentAway bool // it was asked to go away
	wasRude  bool
	finished bool // it sent its end of stream
	over     bool
}

// pending is a request that waits for its reply.
type pending struct {
	c           *client
	id          uint32
	method, tag string
	payload     []byte
	at          time.Duration
	deadline    time.Duration // its own; 0: none
}

// churnDepth is the depth of clients where limits are tight.
const churnDepth = 4

// startClient starts a client with so many requests to send; 0: it draws them.
func (w *world) startClient(budget int) {
	w.begun++
	c := &client{w: w, number: w.begun, budget: budget, depth: 1 + w.rnd.IntN(8)}
	switch {
	case budget > 0:
	case w.bulk != noBulk:
		c.budget, c.depth = 100, 100
	case w.churn:
		c.budget, c.depth = 1+w.rnd.IntN(12), churnDepth
	default:
		c.budget = 1 + w.rnd.IntN(40)
	}
	c.sameID = w.client == codec.InOrder && w.chance(0.3)
	if !w.calm && w.chance(0.2) || w.churn && w.chance(0.7) {
		c.leaves = 1 + w.rnd.IntN(c.budget)
	}
	c.lingers, c.rude, c.deaf = w.idle > 0 && w.chance(0.5), w.chance(0.05), w.chance(0.3)
	w.clients = append(w.clients, c)
	name := "l"
	if !w.dialable["l"] || w.dialable["m"] && w.chance(0.3) {
		name = "m"
	}
	c.conn = w.net.Dial(name)
	c.conn.OnData = c.read
	c.conn.OnClose = c.closed
	c.send()
	if w.bulk == slowClients || w.bulk == noBulk && w.chance(0.3) {
		c.dawdle()
	}
}

// dawdle stops reading for a while, now and then.
func (c *client) dawdle() {
	after, pause := 20*time.Millisecond, 50*time.Millisecond
	if c.w.bulk != noBulk {
		after, pause = 500*time.Millisecond, 3*time.Second
	}
	c.w.net.After(c.w.upTo(after), func() {
		if c.over {
			return
		}
		c.conn.Pause(true)
		c.w.net.After(c.w.upTo(pause), func() {
			if !c.over {
				c.conn.Pause(false)
				c.dawdle()
			}
		})
	})
}

// send sends until enough is in flight or all is sent.
func (c *client) send() {
	for !c.over && !c.finished && !c.wasRude && c.sent < c.budget && len(c.pending) < c.depth {
		c.request()
		if c.w.chance(0.02) {
			c.beats++
			c.write(toy.Append(nil, codec.Heartbeat, 0, 1<<20, 0, "", "", nil))
		}
	}
	c.endIfDone()
}

func (c *client) write(b []byte) {
	c.spoke = c.w.net.Now()
	c.conn.Write(b)
}

// request sends one.
func (c *client) request() {
	w := c.w
	c.sent++
	w.tokens++
	p := &pending{c: c, id: uint32(c.sent), at: w.net.Now()}
	if c.sameID {
		p.id = 0
	}
	p.method = fmt.Sprint("m", w.rnd.IntN(3))
	if w.chance(0.5) {
		p.tag = fmt.Sprint("k", w.rnd.IntN(9))
	}
	if w.chance(0.2) {
		p.method, p.tag = "mb", "tb"
	}
	if w.deadlines && w.chance(0.3) {
		p.deadline = 10*time.Millisecond + w.upTo(200*time.Millisecond).Truncate(time.Millisecond)
	}
	token := fmt.Sprintf("%d-%d", c.number, w.tokens)
	p.payload = append([]byte(token+"|"), bytes.Repeat([]byte{byte('a' + c.sent%26)}, w.size())...)
	w.sent[token] = p
	kind, flags := codec.Request, byte(0)
	switch {
	case w.bulk == noBulk && w.chance(0.1):
		kind = codec.Oneway
		c.oneways++
	case w.pins && w.chance(0.1):
		flags = toy.FlagPin
		fallthrough
	default:
		c.pending = append(c.pending, p)
	}
	c.write(toy.Append(nil, kind, flags, p.id, uint32(p.deadline/time.Millisecond), p.method, p.tag, p.payload))
}

// size draws how much a request carries: not so much that it takes longer than
// clients may take.
func (w *world) size() int {
	switch {
	case w.bulk != noBulk && w.chance(0.8):
		return largeMessage/2 + w.rnd.IntN(largeMessage/2)
	case w.chance(0.05):
		return w.rnd.IntN(min(w.limit-1000, largeMessage, 60*w.options.SplitBytes))
	}
	return w.rnd.IntN(200)
}

// endIfDone ends the connection once all is sent and answered; sometimes the
// end of stream goes out before the replies have come.
func (c *client) endIfDone() {
	if c.over || c.sent < c.budget || c.wasRude || c.lingers {
		return
	}
	if c.rude && !c.finished {
		c.wasRude = true
		c.write(toy.Append(nil, codec.Request, 0, 7, 0, "rude", "", make([]byte, c.w.limit)))
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
		c.message(m)
		if c.leaves > 0 && c.got >= c.leaves {
			c.over = true
			c.conn.Reset()
			c.replace()
			return len(b)
		}
	}
	if !c.over {
		c.send()
	}
	return at
}

func (c *client) message(m toy.Message) {
	switch m.Kind {
	case codec.Reply:
		c.check(m)
	case codec.HeartbeatReply:
		if c.beats--; c.beats < 0 {
			c.w.fail("client %d: more heartbeats answered than sent", c.number)
		}
	case codec.Push:
		c.pushed(m)
	case codec.GoAway:
		c.goAway()
	default:
		c.w.fail("client %d got a %v", c.number, m.Kind)
	}
}

// pushed answers a server's push, which must be for this client.
func (c *client) pushed(m toy.Message) {
	if string(m.Payload) != fmt.Sprint("push-", c.number) {
		c.w.fail("client %d got %s", c.number, m.Payload)
	}
	if !c.finished {
		c.write(toy.Append(nil, codec.Reply, 0, m.ID, 0, m.Method, "", m.Payload))
	}
}

// goAway sends what is left over another connection.
func (c *client) goAway() {
	if !c.w.drained && len(c.w.rules.present) == 2 && !c.w.removals {
		c.w.fail("client %d was asked to go away for nothing", c.number)
	}
	c.sentAway = true
	if rest := c.budget - c.sent; rest > 0 && !c.deaf {
		c.budget = c.sent
		c.w.startClient(rest)
	}
}

// check finds the request that a reply answers.
func (c *client) check(m toy.Message) {
	w := c.w
	i := 0
	if w.client == codec.ByID {
		for i < len(c.pending) && c.pending[i].id != m.ID {
			i++
		}
	}
	if i >= len(c.pending) {
		w.fail("client %d got a reply with id %d to nothing", c.number, m.ID)
		return
	}
	p := c.pending[i]
	c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
	c.got++
	if m.ID != p.id || m.Method != p.method {
		w.fail("client %d: the reply to %d %s has id %d and method %s", c.number, p.id, p.method, m.ID, m.Method)
		return
	}
	if m.Tag == "local" {
		c.local++
		c.checkLocal(p, codec.Cause(m.Payload[0]), m.Payload[1:])
		return
	}
	if !bytes.Equal(m.Payload, p.payload) {
		w.fail("client %d got the reply to another request: %.40q, not %.40q", c.number, m.Payload, p.payload)
	}
	if m.Tag != p.tag && m.Tag != "added" && !w.mutated(m.Tag) {
		w.fail("client %d: the reply to %.20q has tag %q", c.number, p.payload, m.Tag)
	}
}

// checkLocal checks that the proxy had a reason to answer by itself.
func (c *client) checkLocal(p *pending, cause codec.Cause, text []byte) {
	w := c.w
	if !w.mayFail(cause) {
		w.fail("client %d was answered by the proxy: %s", c.number, text)
	}
	if cause == codec.TimedOut {
		after := p.deadline
		if w.shortest > 0 && (after == 0 || w.shortest < after) {
			after = w.shortest
		}
		if took := w.net.Now() - p.at; after == 0 || took < after {
			w.fail("client %d: %.20q timed out after %v, not %v", c.number, p.payload, took, after)
		}
	}
}

// closed is called when the worker's direction has ended.
func (c *client) closed(how engine.How) {
	w := c.w
	if c.over {
		return
	}
	c.over = true
	c.conn.Close()
	if !w.calm {
		c.replace()
		return
	}
	switch quiet := w.net.Now() - c.spoke; {
	case how != engine.Half:
		w.fail("client %d: %v", c.number, how)
	case len(c.pending) > 0:
		w.fail("client %d was closed with %d replies missing", c.number, len(c.pending))
	case c.beats > 0:
		w.fail("client %d was closed with %d heartbeats unanswered", c.number, c.beats)
	case c.finished, c.wasRude, c.sentAway && quiet >= drainQuiet:
	case w.idle == 0:
		w.fail("client %d was closed after %v of quiet", c.number, quiet)
	case quiet < w.idle:
		w.fail("client %d was closed as idle after %v, not %v", c.number, quiet, w.idle)
	case c.sent < c.budget:
		w.fail("client %d was closed after %d of %d requests", c.number, c.sent, c.budget)
	}
}

// drainQuiet is how long the worker lets clients be quiet that it asked to go.
const drainQuiet = 5 * time.Second

// replace starts another client in a mesh where clients fail.
func (c *client) replace() {
	w := c.w
	most, likely := 12, 0.7
	if w.churn {
		most, likely = 40, 1
	}
	if w.begun < most && w.live() < 6 && w.chance(likely) {
		w.startClient(0)
	}
}
