package load

import (
	"bytes"
	"fmt"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/poll"
)

// A request's id is a slot of its connection below a count that never repeats
// on that connection: replies may come in any order, and a reply that comes
// twice or late matches nothing. Every connection uses the same ids, as
// independent clients do, so a proxy that shares upstream connections must
// tell them apart itself. Thrift has 31 bits for both.
const (
	slotBits = 12
	idBits   = 31
)

type conn struct {
	poll.Stream
	index int
	slots []slot
	free  []int // slots without a request
	count uint64
}

type slot struct {
	id  uint64        // 0: free
	due time.Duration // when it was, or should have been, sent
}

func newConn(fd, index, depth int) *conn {
	c := &conn{Stream: poll.Stream{FD: fd}, index: index, slots: make([]slot, depth)}
	for i := range depth {
		c.free = append(c.free, i)
	}
	return c
}

// take books a slot and returns the request's id.
func (c *conn) take(due time.Duration) uint64 {
	i := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	for {
		c.count++
		id := (c.count<<slotBits | uint64(i)) & (1<<idBits - 1)
		if id != 0 { // 0 means "free"
			c.slots[i] = slot{id, due}
			return id
		}
	}
}

// settle frees the slot of a reply and returns when its request was due.
func (c *conn) settle(id uint64) (time.Duration, error) {
	i := int(id & (1<<slotBits - 1))
	if id == 0 || i >= len(c.slots) || c.slots[i].id != id {
		return 0, fmt.Errorf("reply with id %#x, which is not in flight", id)
	}
	c.slots[i].id = 0
	c.free = append(c.free, i)
	return c.slots[i].due, nil
}

// newPayload makes the part that all payloads have in common.
func newPayload(size int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	p := make([]byte, size)
	for i := range p {
		p[i] = letters[i%len(letters)]
	}
	return p
}

// stamp makes the payload unlike every other one: connection and id in front.
func stamp(p []byte, index int, id uint64) {
	const digits = "0123456789abcdef"
	for i := range 4 {
		p[i] = digits[index>>(12-4*i)&15]
	}
	for i := range 8 {
		p[5+i] = digits[id>>(28-4*i)&15]
	}
}

// append appends n requests to g.out.
func (g *generator) append(c *conn, n int, due time.Duration) {
	for range n {
		id := c.take(due)
		stamp(g.payload, c.index, id)
		g.out = g.Wire.AppendRequest(g.out, id, g.payload)
	}
	g.inFlight += n
}

// send sends n requests in one write.
func (g *generator) send(c *conn, n int, due time.Duration) error {
	g.out = g.out[:0]
	g.append(c, n, due)
	return c.Write(g.poller, g.out)
}

// verify wants the id of a request in flight on this connection and that
// request's own payload.
func (g *generator) verify(c *conn, msg []byte, now time.Duration) error {
	id, payload, err := g.Wire.Reply(msg)
	if err != nil {
		return err
	}
	due, err := c.settle(id)
	if err != nil {
		return err
	}
	stamp(g.payload, c.index, id)
	if !bytes.Equal(payload, g.payload) {
		return fmt.Errorf("reply %#x carries %q, not %q", id, payload, g.payload)
	}
	g.inFlight--
	g.verified++
	if due >= g.windowFrom {
		g.latencies.Record(now - due)
	}
	return nil
}
