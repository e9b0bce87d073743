package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Watermarks of bytes not yet written to one connection. Above high, whoever
// produces them is not read any more; below low it is again.
const (
	highWater = 1 << 20
	lowWater  = highWater / 4
	// slowClient is when a client that shares its upstream connections is
	// given up: nobody else may wait for it.
	slowClient = 64 << 20
	// slowRead is how long a client may read nothing of what waits for it.
	slowRead = 60 * time.Second
)

// conn is what client and upstream connections have in common.
type conn struct {
	id   ConnID
	down *downstream // either it is one of these …
	up   *upstream   // … or one of those

	out     []byte // unsent are out[off:]; nil while there is nothing
	off     int
	dirty   bool          // on the worker's dirty list
	opened  bool          // may be written
	blocked bool          // the driver takes no more until Writable
	dead    bool          // the ConnID must not be used any more
	hold    hold          // why it is not read; 0: it is read
	left    bool          // the driver keeps bytes that were shown and not consumed
	moved   time.Duration // when the driver last took some of out

	dec     codec.Decoder
	msg     *codec.Message // the message that has begun to arrive
	decoded bool           // msg is described; the rest of its bytes is missing
	want    *codec.Want    // what msg was decoded for
	seen    int            // bytes of msg that have arrived
}

// hold is a set of reasons not to read from a connection.
type hold uint8

const (
	holdOut      hold = 1 << iota // it does not read what we write
	holdRequests                  // too many of its requests are in flight
	holdUpstream                  // an upstream takes no more
	holdClosing                   // nothing more of it is wanted
	holdClient                    // the client that leases it does not read
)

func (c *conn) unsent() int { return len(c.out) - c.off }

// holdBack adds a reason not to read from c.
func (w *Worker) holdBack(c *conn, h hold) {
	if c.hold == 0 && !c.dead {
		w.driver.SetReading(c.id, false)
	}
	c.hold |= h
}

// letGo takes a reason away.
func (w *Worker) letGo(c *conn, h hold) {
	if c.hold&h == 0 {
		return
	}
	c.hold &^= h
	if c.hold == 0 && !c.dead {
		w.driver.SetReading(c.id, true)
	}
}

// output returns c.out for appending and marks c to be written at the end of
// the iteration. The caller stores the result with setOutput.
func (w *Worker) output(c *conn) []byte {
	if !c.dirty {
		c.dirty = true
		w.dirty = append(w.dirty, c)
	}
	if c.out == nil {
		return w.buffers.get()
	}
	if c.off > highWater/2 && c.off > len(c.out)/2 { // a slow reader: drop what it has read
		n := copy(c.out, c.out[c.off:])
		c.out, c.off = c.out[:n], 0
	}
	return c.out
}

func (w *Worker) setOutput(c *conn, b []byte) {
	w.pending += len(b) - len(c.out)
	c.out = b
}

// write hands the driver what it takes. Called once per iteration.
func (w *Worker) write(c *conn) {
	if c.dead || !c.opened || c.blocked || c.unsent() == 0 {
		return
	}
	w.iovec[0] = c.out[c.off:]
	n := w.driver.Write(c.id, w.iovec[:])
	w.iovec[0] = nil
	if n > 0 {
		c.off += n
		w.pending -= n
		c.moved = w.now
	}
	if c.off == len(c.out) {
		w.dropOutput(c)
	} else {
		c.blocked = true
	}
}

// dropOutput forgets what is unsent and gives the buffer back.
func (w *Worker) dropOutput(c *conn) {
	w.pending -= c.unsent()
	w.buffers.put(c.out)
	c.out, c.off = nil, 0
}

// bury makes c unusable and gives back what it owns.
func (w *Worker) bury(c *conn) {
	if c.dead {
		return
	}
	c.dead = true
	w.dropOutput(c)
	w.putMessage(c)
	w.conns[c.id.Index()] = nil
}

// find returns the live connection with this id, or nil.
func (w *Worker) find(id ConnID) *conn {
	if i := int(id.Index()); i < len(w.conns) {
		if c := w.conns[i]; c != nil && c.id == id {
			return c
		}
	}
	return nil
}

// adopt enters a connection into the worker's table.
func (w *Worker) adopt(c *conn) {
	i := int(c.id.Index())
	for i >= len(w.conns) {
		w.conns = append(w.conns, make([]*conn, max(64, len(w.conns)))...)
	}
	w.conns[i] = c
}

var (
	errTooLong    = errors.New("message over the limit")
	errDecoder    = errors.New("decoder broke its contract")
	errUnexpected = errors.New("message of an unexpected kind")
	errOutOfOrder = errors.New("reply out of order")
)

// next looks for one whole message at the start of b. It returns nil without
// an error while bytes are missing. The message is valid until the next call.
func (w *Worker) next(c *conn, b []byte, want *codec.Want, limit int64) (*codec.Message, error) {
	m := c.msg
	c.seen = len(b)
	if m == nil {
		w.scratch = codec.Message{}
		m = &w.scratch
	}
	if c.decoded && c.want != want && m.Size <= int64(len(b)) {
		*m, c.decoded = codec.Message{}, false // the rules changed while it arrived
	}
	if !c.decoded {
		if m.Need > len(b) {
			return nil, nil
		}
		err := c.dec.Next(b, want, w.memoOf(c), m)
		if err == codec.ErrMore {
			if m.Scan > len(b) || m.Need < 0 || int64(m.Need) > limit {
				return nil, fmt.Errorf("%w: needs %d bytes, limit %d", errTooLong, m.Need, limit)
			}
			w.keepMessage(c, m)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if m.Size > limit {
			return nil, fmt.Errorf("%w: %d bytes, limit %d", errTooLong, m.Size, limit)
		}
		if m.Size < int64(m.Head) || m.Size < 1 || m.Head > len(b) {
			return nil, fmt.Errorf("%w: head %d, size %d of %d bytes", errDecoder, m.Head, m.Size, len(b))
		}
	}
	if m.Size > int64(len(b)) {
		if !c.decoded { // else it is still described for the rules of then
			c.decoded, c.want = true, want
		}
		w.keepMessage(c, m)
		return nil, nil
	}
	if c.msg != nil {
		w.scratch = *c.msg
		w.putMessage(c)
	}
	return &w.scratch, nil
}

// keepMessage remembers a message that has not arrived whole.
func (w *Worker) keepMessage(c *conn, m *codec.Message) {
	if c.msg == m {
		return
	}
	if n := len(w.messages); n > 0 {
		c.msg = w.messages[n-1]
		w.messages = w.messages[:n-1]
	} else {
		c.msg = new(codec.Message)
	}
	*c.msg = *m
	if c.down != nil {
		w.expectMore(c.down)
	}
}

// putMessage forgets it.
func (w *Worker) putMessage(c *conn) {
	if c.msg == nil {
		return
	}
	w.messages = append(w.messages, c.msg)
	c.msg, c.decoded = nil, false
	if c.down != nil {
		w.timers.cancel(&c.down.slow)
	}
}

// A client that has begun to send a message must send minProgress bytes of it
// in every slowMessage.
const (
	slowMessage = 60 * time.Second
	minProgress = 60 << 10
)
