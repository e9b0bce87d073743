package main

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/apache/thrift/lib/go/thrift"
)

// listener is the server socket given to the library's TSimpleServer. The library's own would keep
// a stop waiting for idle connections; this one can end the reading of its connections.
type listener struct {
	tcp    *net.TCPListener
	counts *counts

	mu      sync.Mutex
	stopped bool
	open    map[*connection]struct{}
}

func listen(address string, c *counts) (*listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, err
	}
	return &listener{tcp: tcp, counts: c, open: map[*connection]struct{}{}}, nil
}

// Listen has nothing to do: the socket listens already, for the address must be known before.
func (l *listener) Listen() error { return nil }

// Accept implements thrift.TServerTransport.
func (l *listener) Accept() (thrift.TTransport, error) {
	tcp, err := l.tcp.AcceptTCP()
	if err != nil {
		return nil, err
	}
	l.counts.accepted()
	c := &connection{TSocket: thrift.NewTSocketFromConnTimeout(tcp, 0), tcp: tcp, owner: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	if l.stopped {
		c.stopReading()
	}
	return c, nil
}

// Close implements thrift.TServerTransport.
func (l *listener) Close() error { return l.tcp.Close() }

// Interrupt is called by the library's Stop, which then waits for every connection to end. Idle
// ones never would: here they read the end, after what has arrived already.
func (l *listener) Interrupt() error {
	err := l.tcp.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for c := range l.open {
		c.stopReading()
	}
	return err
}

// connection is the library's socket, forgotten by its listener when it is closed.
type connection struct {
	*thrift.TSocket
	tcp     *net.TCPConn
	owner   *listener
	stopped atomic.Bool // reading, by this side
}

// IsOpen implements thrift.TTransport. The library asks while a handler runs and closes a connection
// whose reading has ended; when this side has ended it, the reply under way must still go out.
func (c *connection) IsOpen() bool { return c.stopped.Load() || c.TSocket.IsOpen() }

func (c *connection) stopReading() {
	c.stopped.Store(true)
	// An error means that the connection has ended by itself.
	_ = c.tcp.CloseRead()
}

// Close implements thrift.TTransport.
func (c *connection) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.TSocket.Close()
}
