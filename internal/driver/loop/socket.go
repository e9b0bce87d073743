package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// socket is a connection of a portableLoop. The fields above mu are the loop
// goroutine's.
type socket struct {
	l        *portableLoop
	id       engine.ConnID
	c        *net.TCPConn // nil while connecting
	cancel   context.CancelFunc
	kept     kept
	paused   bool
	held     bool // the reader waits for more
	eof      bool
	ending   func() // the end that was read, behind a pause
	accepted bool

	more    chan struct{} // the reader may read the next chunk
	gone    chan struct{} // closed when nothing is to be read any more
	written chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	changed *sync.Cond
	out     []byte // to be written
	blocked bool   // Write took less than all
	finish  bool   // end our direction after out
	failed  bool   // a write failed, or the connection is closed
}

func (l *portableLoop) newSocket() *socket {
	var i uint32
	if n := len(l.free); n > 0 {
		i = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		i = uint32(len(l.slots))
		l.slots = append(l.slots, nil)
		l.gens = append(l.gens, 0)
	}
	l.gens[i] = max(l.gens[i]+1, 1)
	s := &socket{
		l: l, id: engine.MakeConnID(i, l.gens[i]), cancel: func() {},
		more: make(chan struct{}, 1), gone: make(chan struct{}),
		written: make(chan struct{}),
	}
	s.changed = sync.NewCond(&s.mu)
	l.slots[i] = s
	return s
}

// alive tells whether the handler may still hear of s.
func (s *socket) alive() bool { return s.l.slots[s.id.Index()] == s }

// release forgets s; its goroutines end by themselves.
func (s *socket) release() {
	if s.accepted {
		s.l.p.accepted[s.l.index].Add(-1)
	}
	s.kept.release(&s.l.pool)
	s.l.slots[s.id.Index()] = nil
	s.l.free = append(s.l.free, s.id.Index())
	s.cancel()
}

func (l *portableLoop) adopt(c *net.TCPConn, info engine.ConnInfo) {
	if l.stopping {
		c.Close()
		return
	}
	s := l.newSocket()
	s.accepted = true
	s.open(c, info)
}

// open begins with a connection that is made.
func (s *socket) open(c *net.TCPConn, info engine.ConnInfo) {
	s.c = c
	if n := s.l.p.o.SendBuffer; n > 0 {
		_ = c.SetWriteBuffer(n)
	}
	s.l.sockets.Go(s.read)
	s.l.sockets.Go(s.write)
	s.l.h.Opened(s.id, info)
}

// read reads a chunk ahead, and the next when the loop says so.
func (s *socket) read() {
	b := make([]byte, readChunk)
	for {
		n, err := s.c.Read(b)
		if n > 0 {
			if !s.l.event(func() { s.arrived(b[:n]) }) {
				return
			}
			select {
			case <-s.more:
			case <-s.gone:
				return
			}
		}
		if err != nil {
			s.l.event(func() { s.over(errors.Is(err, io.EOF)) })
			return
		}
	}
}

// readChunk is less than epoll's, because every connection has a buffer.
const readChunk = 16 << 10

// arrived shows a chunk; b is the reader's until it may go on.
func (s *socket) arrived(b []byte) {
	if !s.alive() {
		return
	}
	s.held = true
	if s.paused || s.kept.buf != nil {
		s.kept.append(&s.l.pool, b)
		s.show()
	} else {
		used := s.l.h.Readable(s.id, b)
		if rest := b[used:]; len(rest) > 0 && s.alive() {
			s.kept.append(&s.l.pool, rest)
		}
	}
	s.proceed()
}

// show shows the kept bytes.
func (s *socket) show() {
	if !s.alive() || s.paused || s.kept.buf == nil {
		return
	}
	used := s.l.h.Readable(s.id, s.kept.bytes())
	if s.alive() {
		s.kept.consume(&s.l.pool, used)
	}
}

// proceed lets the reader, if it waits, go on unless the handler paused.
func (s *socket) proceed() {
	if s.held && s.alive() && !s.paused {
		s.held = false
		s.more <- struct{}{}
	}
}

// over handles the end of what can be read.
func (s *socket) over(clean bool) {
	switch {
	case !s.alive():
	case !clean:
		s.lost()
	case s.paused:
		s.ending = func() { s.over(true) }
	case !s.eof:
		s.eof = true
		s.l.h.Closed(s.id, engine.Half)
	}
}

// lost tells that the connection broke.
func (s *socket) lost() {
	if s.alive() {
		s.abort()
		s.release()
		s.l.h.Closed(s.id, engine.Abort)
	}
}

// abort closes the socket at once and ends the goroutines.
func (s *socket) abort() {
	s.cancel()
	if s.c == nil {
		return
	}
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
	_ = s.c.SetLinger(0)
	s.c.Close()
	s.mu.Lock()
	s.failed = true
	s.changed.Signal()
	s.mu.Unlock()
}

// write writes what Write took.
func (s *socket) write() {
	defer close(s.written)
	var b []byte
	for {
		s.mu.Lock()
		for len(s.out) == 0 && !s.finish && !s.failed {
			s.changed.Wait()
		}
		if s.failed || len(s.out) == 0 {
			failed := s.failed
			s.mu.Unlock()
			if !failed {
				_ = s.c.CloseWrite()
			}
			return
		}
		b, s.out = s.out, b[:0]
		blocked := s.blocked
		s.blocked = false
		s.mu.Unlock()
		_, err := s.c.Write(b)
		switch {
		case err != nil:
			s.mu.Lock()
			s.failed = true
			s.mu.Unlock()
			s.l.event(s.lost)
			return
		case blocked:
			s.l.event(func() {
				if s.alive() {
					s.l.h.Writable(s.id)
				}
			})
		}
	}
}

// linger ends the connection in order: what was written goes out, what comes
// is discarded until the peer ends too; both within lingerTime.
func (s *socket) linger() {
	s.mu.Lock()
	s.finish = true
	s.changed.Signal()
	s.mu.Unlock()
	_ = s.c.SetDeadline(time.Now().Add(lingerTime))
	close(s.gone)
	s.l.sockets.Go(func() {
		_, _ = io.CopyN(io.Discard, s.c, lingerBytes)
		<-s.written // what the peer ended first must not cut ours
		s.c.Close()
	})
}
