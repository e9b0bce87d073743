package loop

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// conn is one connection of an epollLoop. A slot's conn is reused for the
// connections that follow in the slot.
type conn struct {
	id       engine.ConnID
	fd       int
	kept     kept
	budget   int // lingering: bytes still to be discarded
	state    state
	watched  bool   // epoll knows the descriptor
	interest uint32 // what epoll watches it for
	paused   bool   // the handler switched reading off
	eof      bool   // the peer's end of stream was reported
	blocked  bool   // a Write took less than all: Writable is due
	broken   bool   // a write failed: the connection is lost once all was read
	queued   bool   // in epollLoop.queue
	accepted bool
}

type state uint8

const (
	unused     state = iota
	connecting       // no one knows yet
	connected        // at once, or failed at once: to be reported from the queue
	open
	lingering // the handler closed it; the kernel still delivers
)

// lingerer is a Clean-closed connection and its time limit.
type lingerer struct {
	id    engine.ConnID
	until time.Duration
}

// find returns the connection, nil if it is gone.
func (l *epollLoop) find(id engine.ConnID) *conn {
	if i := id.Index(); int(i) < len(l.slots) {
		if c := l.slots[i]; c != nil && c.id == id && c.state != unused {
			return c
		}
	}
	return nil
}

// usable returns the connection as handlers may use it: not one that they closed.
func (l *epollLoop) usable(id engine.ConnID) *conn {
	if c := l.find(id); c != nil && c.state != lingering {
		return c
	}
	return nil
}

func (l *epollLoop) newConn(fd int, s state) *conn {
	var c *conn
	if n := len(l.free); n > 0 {
		c = l.slots[l.free[n-1]]
		l.free = l.free[:n-1]
	} else {
		c = &conn{id: engine.MakeConnID(uint32(len(l.slots)), 0)}
		l.slots = append(l.slots, c)
	}
	gen := max(uint32(c.id>>32)+1, 1) // 0 is for what is no connection
	*c = conn{id: engine.MakeConnID(c.id.Index(), gen), fd: fd, state: s}
	return c
}

// discard closes the descriptor and frees the slot.
func (l *epollLoop) discard(c *conn) {
	if c.fd >= 0 {
		unix.Close(c.fd) // epoll forgets it
	}
	if c.accepted {
		l.e.accepted[l.index].Add(-1)
	}
	c.kept.release(&l.pool)
	c.state = unused
	c.fd = -1
	l.free = append(l.free, c.id.Index())
}

// enqueue has report look at c in the next iteration.
func (l *epollLoop) enqueue(c *conn) {
	if !c.queued {
		c.queued = true
		l.queue = append(l.queue, c.id)
	}
}

// report tells what Driver methods learned but may not tell from inside.
func (l *epollLoop) report() {
	queue := l.queue
	l.queue = l.spare[:0]
	for _, id := range queue {
		c := l.find(id)
		if c == nil {
			continue
		}
		c.queued = false
		switch {
		case c.state == connected:
			l.connectDone(c)
		case c.state != open:
		case c.broken:
			if c.paused || c.eof || l.read(c) {
				l.lost(c)
			} else if l.find(id) != nil {
				l.enqueue(c) // what the peer sent before comes first
			}
		case len(c.kept.bytes()) > 0 && !c.paused:
			l.showKept(c)
		}
	}
	l.spare = queue
}

// ready handles an event of epoll.
func (l *epollLoop) ready(c *conn, events uint32) {
	id := c.id
	switch c.state {
	case connecting:
		l.connectDone(c)
		return
	case lingering:
		l.drain(c)
		return
	case open:
	default:
		return
	}
	if c.blocked && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.blocked = false
		l.h.Writable(id)
		if l.usable(id) != c {
			return
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		switch {
		case c.broken: // report has it
		case !c.paused && !c.eof:
			if l.read(c) {
				l.lost(c)
				return
			}
		case events&unix.EPOLLERR != 0:
			l.lost(c)
			return
		case events&unix.EPOLLHUP != 0:
			// Both directions have ended, and epoll would say so for ever.
			l.unwatch(c)
			return
		}
	}
	if l.usable(id) == c {
		l.watch(c)
	}
}

// read reads once and shows it; true: the connection is broken.
func (l *epollLoop) read(c *conn) (broken bool) {
	n, e := recv(c.fd, l.readBuf)
	switch {
	case e == syscall.EAGAIN || e == syscall.EINTR:
		return c.broken
	case e != 0:
		return true
	case n == 0:
		if c.broken {
			return true
		}
		c.eof = true
		l.watch(c)
		l.h.Closed(c.id, engine.Half)
		return false
	}
	if c.kept.buf != nil {
		c.kept.append(&l.pool, l.readBuf[:n])
		l.showKept(c)
		return false
	}
	id := c.id
	used := l.h.Readable(id, l.readBuf[:n])
	if rest := l.readBuf[used:n]; len(rest) > 0 && l.usable(id) == c {
		c.kept.append(&l.pool, rest)
	}
	return false
}

// showKept shows the kept bytes. If the handler closes the connection, its
// buffer returns to the pool while the handler still looks at it; no Driver
// method takes buffers from there.
func (l *epollLoop) showKept(c *conn) {
	id := c.id
	used := l.h.Readable(id, c.kept.bytes())
	if l.usable(id) == c {
		c.kept.consume(&l.pool, used)
	}
}

// lost tells that a connection broke.
func (l *epollLoop) lost(c *conn) {
	id := c.id
	l.discard(c)
	l.h.Closed(id, engine.Abort)
}

// watch brings epoll's interest up to date. A pause is told to epoll only when
// bytes came meanwhile (ready), so that short ones cost no system call.
func (l *epollLoop) watch(c *conn) {
	var want uint32
	if c.state == connecting || c.blocked {
		want = unix.EPOLLOUT
	}
	if c.state == open && !c.paused && !c.eof || c.state == lingering && c.budget > 0 {
		want |= unix.EPOLLIN
	}
	if c.watched && want == c.interest {
		return
	}
	op := unix.EPOLL_CTL_MOD
	if !c.watched {
		op = unix.EPOLL_CTL_ADD
	}
	if err := l.control(op, c.fd, want, c.id); err != nil {
		// No memory for one more (or max_user_watches): as if the peer had gone.
		l.log.Warn("connection cannot be watched", "error", err)
		c.broken = true
		l.enqueue(c)
		return
	}
	c.watched, c.interest = true, want
}

func (l *epollLoop) unwatch(c *conn) {
	if c.watched {
		_ = l.control(unix.EPOLL_CTL_DEL, c.fd, 0, 0)
		c.watched = false
	}
}

// drain discards what the peer of a Clean-closed connection sends, so that it
// can read our last bytes in peace.
func (l *epollLoop) drain(c *conn) {
	n, e := recv(c.fd, l.readBuf)
	switch {
	case e == syscall.EAGAIN || e == syscall.EINTR:
	case e != 0 || n == 0:
		l.discard(c)
	default:
		if c.budget -= n; c.budget <= 0 {
			// Enough read. Closing now would reset: wait for the deadline.
			l.unwatch(c)
		}
	}
}

func recv(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])),
		uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}
