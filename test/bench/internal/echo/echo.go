// Package echo is the upstream of every measurement: a server that returns
// each request's id and payload, in order per connection, on several
// listening sockets (the endpoints) of one thread.
package echo

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/poll"
)

// Server answers on its endpoints. All fields but stop belong to the goroutine
// that calls Run.
type Server struct {
	wire      frame.Wire
	poller    *poll.Poller
	listeners map[int]int // endpoint by listening socket
	conns     []*conn     // by file descriptor
	served    []uint64    // by endpoint
	in, out   []byte
	stop      atomic.Bool
}

type conn struct {
	poll.Stream
	endpoint int
}

// New listens on n free ports of 127.0.0.1 and returns their addresses.
func New(wire frame.Wire, n int) (*Server, []string, error) {
	p, err := poll.New()
	if err != nil {
		return nil, nil, err
	}
	s := &Server{wire: wire, poller: p, listeners: map[int]int{}, served: make([]uint64, n), in: make([]byte, 1<<20)}
	var addrs []string
	for i := range n {
		fd, addr, err := poll.Listen("127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		if err := p.Add(fd); err != nil {
			return nil, nil, err
		}
		s.listeners[fd] = i
		addrs = append(addrs, addr.String())
	}
	return s, addrs, nil
}

// StopOn makes Run return when fd can be read or is closed by its other side.
func (s *Server) StopOn(fd int) error {
	s.listeners[fd] = -1
	return s.poller.Add(fd)
}

// Stop makes Run return soon; it may be called from any goroutine.
func (s *Server) Stop() { s.stop.Store(true) }

// Run serves until it is told to stop, then closes everything and returns how
// many requests each endpoint served. A request that cannot be read is an
// error: nothing measured with it would count.
func (s *Server) Run() ([]uint64, error) {
	defer s.close()
	for !s.stop.Load() {
		events, err := s.poller.Wait(time.Second)
		if err != nil {
			return nil, err
		}
		for _, ev := range events {
			endpoint, isListener := s.listeners[ev.FD]
			switch {
			case isListener && endpoint < 0:
				s.stop.Store(true)
			case isListener:
				err = s.accept(ev.FD, endpoint)
			default:
				err = s.serve(s.conns[ev.FD], ev)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return s.served, nil
}

func (s *Server) close() {
	for fd, endpoint := range s.listeners {
		if endpoint >= 0 {
			unix.Close(fd)
		}
	}
	for _, c := range s.conns {
		if c != nil {
			c.Close()
		}
	}
	s.poller.Close()
}

func (s *Server) accept(listener, endpoint int) error {
	for {
		fd, err := poll.Accept(listener)
		if errors.Is(err, poll.ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
		if fd >= len(s.conns) {
			s.conns = append(s.conns, make([]*conn, fd+64-len(s.conns))...)
		}
		s.conns[fd] = &conn{Stream: poll.Stream{FD: fd}, endpoint: endpoint}
		if err := s.poller.Add(fd); err != nil {
			return err
		}
	}
}

func (s *Server) serve(c *conn, ev poll.Event) error {
	if c == nil {
		return nil // closed earlier in the same batch of events
	}
	if ev.Writable {
		if err := c.Flush(s.poller); err != nil {
			s.drop(c)
			return nil
		}
	}
	if !ev.Readable {
		return nil
	}
	b, err := c.Read(s.in)
	switch {
	case errors.Is(err, poll.ErrAgain):
		return nil
	case err != nil: // the end of the stream, or a reset by a proxy that was killed
		if err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
			return fmt.Errorf("echo server: %w", err)
		}
		s.drop(c)
		return nil
	}
	if err := s.answer(c, b); err != nil {
		return fmt.Errorf("echo server: %w", err)
	}
	if err := c.Write(s.poller, s.out); err != nil {
		s.drop(c)
	}
	return nil
}

// answer fills s.out with the answers to all whole messages of b, so that they
// leave in one write.
func (s *Server) answer(c *conn, b []byte) error {
	s.out = s.out[:0]
	for {
		n, err := s.wire.Size(b)
		if err != nil {
			return err
		}
		if n == 0 || n > len(b) {
			c.Keep(b)
			return nil
		}
		if s.out, err = s.wire.AppendAnswer(s.out, b[:n]); err != nil {
			return err
		}
		s.served[c.endpoint]++
		b = b[n:]
	}
}

func (s *Server) drop(c *conn) {
	s.conns[c.FD] = nil
	c.Close()
}
