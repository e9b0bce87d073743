package sim

import "github.com/aeraki-mesh/aeraki/internal/engine"

// Conn is the client's or server's side of a worker's connection. Its
// callbacks are set where it was made, before anything happens on it.
type Conn struct {
	// OnData gets all bytes that arrived and were not consumed; b is valid
	// during the call. nil consumes all.
	OnData func(b []byte) (consumed int)
	// OnClose tells that the worker's direction has ended: Half, Abort, or
	// ConnectFailed; once.
	OnClose func(how engine.How)

	l       *link
	arrived []byte
	paused  bool
	over    bool // OnClose was called
	closed  bool // by us, or broken
	fin     bool // an end of stream waits for a pause to end
}

// Write sends a copy of b; there is no limit.
func (c *Conn) Write(b []byte) {
	if c.closed || c.l.cut || c.l.up.fin {
		return
	}
	c.l.up.queued = append(c.l.up.queued, b...)
	c.l.move(&c.l.up)
}

// Sent returns how many of the written bytes reached the worker's side.
func (c *Conn) Sent() int { return c.l.up.moved }

// CloseWrite ends our direction after what was written.
func (c *Conn) CloseWrite() {
	c.l.up.fin = true
	c.l.move(&c.l.up)
}

// Close ends both directions. What the worker sends from now on resets the
// connection, as TCP does.
func (c *Conn) Close() {
	if c.closed {
		return
	}
	c.closed = true
	c.over = true
	c.l.up.fin = true
	if len(c.arrived) > 0 {
		c.arrived = nil
		c.l.reset(true, false)
	}
	c.l.move(&c.l.up)
	c.l.move(&c.l.down)
}

// Reset breaks the connection.
func (c *Conn) Reset() {
	c.closed = true
	c.over = true
	c.arrived = nil
	c.l.reset(true, false)
}

// Pause stops OnData, and with it, when the buffers are full, the worker's
// writes; or ends that.
func (c *Conn) Pause(on bool) {
	if c.paused = on; on || c.closed {
		return
	}
	c.l.n.After(0, func() {
		if !c.paused && !c.closed {
			c.show()
		}
	})
}

// arrive gets what the network delivers.
func (c *Conn) arrive(b []byte, fin bool) {
	c.l.n.note('d', c.l.id, len(b))
	if c.closed {
		if len(b) > 0 {
			c.l.reset(true, false)
		}
		return
	}
	c.arrived = append(c.arrived, b...)
	c.fin = fin
	if !c.paused {
		c.show()
	}
}

func (c *Conn) show() {
	if len(c.arrived) > 0 {
		used := len(c.arrived)
		if c.OnData != nil {
			used = c.OnData(c.arrived)
		}
		if c.arrived = c.arrived[min(used, len(c.arrived)):]; len(c.arrived) == 0 {
			c.arrived = nil
		}
	}
	c.l.move(&c.l.down)
	if c.fin && !c.paused {
		c.ended(engine.Half)
	}
}

// ended tells that the worker's direction is over.
func (c *Conn) ended(how engine.How) {
	if how != engine.Half {
		c.closed = true
	}
	if c.over {
		return
	}
	c.over = true
	c.l.n.note('e', c.l.id, int(how))
	if c.OnClose != nil {
		c.OnClose(how)
	}
}
