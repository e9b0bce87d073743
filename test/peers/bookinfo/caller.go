package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errForeign means that a reply came which belongs to no request.
var errForeign = errors.New("a reply to no request")

// caller is one connection that carries requests of any number of goroutines.
// It connects when it needs to and never sends a request twice. A connection
// on which anything went wrong is given up with all requests on it.
type caller struct {
	target  string
	timeout time.Duration // of connecting, and of a reply

	mu     sync.Mutex // guards what follows
	link   *link      // nil: not connected
	closed bool
}

func (c *caller) close() {
	c.mu.Lock()
	l := c.link
	c.link, c.closed = nil, true
	c.mu.Unlock()
	if l != nil {
		l.fail(net.ErrClosed)
	}
}

// connected returns the live connection, or makes one.
func (c *caller) connected() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	if c.link != nil && c.link.broken() == nil {
		return c.link, nil
	}
	conn, err := net.DialTimeout("tcp", c.target, c.timeout)
	if err != nil {
		return nil, &dialError{err}
	}
	c.link = &link{conn: conn, waiting: map[uint32]chan *message{}, ended: make(chan struct{})}
	go c.link.read()
	return c.link, nil
}

// dialError says that there was no connection to send on.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// call sends m with an id of the connection's and returns the reply; nil for
// a one-way message.
func (c *caller) call(ctx context.Context, m *message) (*message, error) {
	l, err := c.connected()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	reply, err := l.send(m, time.Now().Add(c.timeout))
	if err != nil || m.kind == kindOneway {
		return nil, err
	}
	select {
	case r := <-reply:
		return r, nil
	case <-l.ended:
		select {
		case r := <-reply: // it came before the end
			return r, nil
		default:
			return nil, l.broken()
		}
	case <-ctx.Done():
		l.fail(os.ErrDeadlineExceeded)
		return nil, os.ErrDeadlineExceeded
	}
}

// link is one connection's life.
type link struct {
	conn net.Conn

	writing sync.Mutex // held while a message is written

	mu      sync.Mutex // guards what follows
	lastID  uint32
	waiting map[uint32]chan *message
	err     error
	ended   chan struct{} // closed when err is set
}

func (l *link) broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// fail ends the connection; the first reason counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		l.conn.Close()
		close(l.ended)
	}
}

// send writes a request and returns where its reply will be found.
func (l *link) send(m *message, deadline time.Time) (<-chan *message, error) {
	reply := make(chan *message, 1)
	l.mu.Lock()
	l.lastID++
	m.id = l.lastID
	if m.kind == kindRequest {
		l.waiting[m.id] = reply
	}
	l.mu.Unlock()
	return reply, l.write(m, deadline)
}

func (l *link) write(m *message, deadline time.Time) error {
	b, err := appendMessage(nil, m)
	if err != nil {
		l.fail(err)
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.conn.SetWriteDeadline(deadline)
	if _, err = l.conn.Write(b); err != nil {
		l.fail(err)
	}
	return err
}

// read hands replies to those who wait for them, until the connection ends.
func (l *link) read() {
	in := bufio.NewReader(l.conn)
	for {
		m, err := readMessage(in)
		if err == nil {
			err = l.take(m)
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *link) take(m *message) error {
	switch m.kind {
	case kindPing:
		return l.write(&message{kind: kindPong, id: m.id}, time.Now().Add(time.Second))
	case kindPong:
		return nil
	case kindReply:
		l.mu.Lock()
		reply, ok := l.waiting[m.id]
		delete(l.waiting, m.id)
		l.mu.Unlock()
		if !ok {
			return fmt.Errorf("%w: id %d", errForeign, m.id)
		}
		reply <- m
		return nil
	}
	return fmt.Errorf("message of kind %d from a server", m.kind)
}

// errorText names an error so that equal ones count as one: without ports and ids.
func errorText(err error) string {
	var refused *refusal
	var netErr net.Error
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, syscall.EPIPE):
		return "broken pipe"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF):
		return "EOF"
	}
	return err.Error()
}
