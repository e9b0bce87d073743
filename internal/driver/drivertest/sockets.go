package drivertest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// patience is how long Sockets.Wait waits on a busy machine.
const patience = 60 * time.Second

// Sockets is the part of a Harness that is the same for all drivers with real
// sockets: the peers, on loopback.
type Sockets struct {
	sync.Mutex
	t *testing.T
	// Addr is where peers dial; the harness sets it in Start.
	Addr netip.AddrPort
	run  sync.WaitGroup
}

// NewSockets registers with t that every peer is closed and gone at the end.
func NewSockets(t *testing.T) *Sockets {
	s := &Sockets{t: t}
	t.Cleanup(s.run.Wait) // runs after the cleanups that close the peers
	return s
}

// Dial implements Harness.
func (s *Sockets) Dial(o PeerOptions) Peer {
	s.Unlock()
	c, err := net.DialTimeout("tcp", s.Addr.String(), patience)
	s.Lock()
	if err != nil {
		return &socketPeer{s: s, ended: true, how: engine.ConnectFailed}
	}
	return s.peer(c.(*net.TCPConn), o)
}

// Serve implements Harness.
func (s *Sockets) Serve(o PeerOptions) (engine.Target, func() []Peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	var peers []Peer
	s.run.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.Lock()
			peers = append(peers, s.peer(c.(*net.TCPConn), o))
			s.Unlock()
		}
	})
	return target(l.Addr()), func() []Peer { return peers }
}

func target(a net.Addr) engine.Target {
	return engine.Target{Cluster: "kit", Endpoint: &engine.Endpoint{Addr: a.(*net.TCPAddr).AddrPort(), Weight: 1}}
}

// Refused implements Harness: the port was free a moment ago.
func (s *Sockets) Refused() engine.Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	l.Close()
	return target(l.Addr())
}

// Wait implements Harness.
func (s *Sockets) Wait(cond func() bool) bool {
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			return false
		}
		s.Pass(200 * time.Microsecond)
	}
	return true
}

// Pass implements Harness.
func (s *Sockets) Pass(d time.Duration) {
	s.Unlock()
	time.Sleep(d)
	s.Lock()
}

// socketPeer is a Peer with a goroutine per direction.
type socketPeer struct {
	s       *Sockets
	c       *net.TCPConn
	o       PeerOptions
	changed *sync.Cond // queue, finish, stopped or closed changed
	queue   [][]byte
	finish  bool // end our direction after the queue
	sent    int
	stopped bool // not reading
	closed  bool
	ended   bool
	how     engine.How
}

func (s *Sockets) peer(c *net.TCPConn, o PeerOptions) *socketPeer {
	p := &socketPeer{s: s, c: c, o: o, changed: sync.NewCond(s)}
	if o.Buffer > 0 {
		_ = c.SetReadBuffer(o.Buffer)
		_ = c.SetWriteBuffer(o.Buffer)
	}
	s.run.Go(p.read)
	s.run.Go(p.write)
	s.t.Cleanup(func() {
		s.Lock()
		defer s.Unlock()
		p.Close()
	})
	return p
}

func (p *socketPeer) read() {
	b := make([]byte, 64<<10)
	if n := p.o.Buffer; n > 0 {
		b = b[:n]
	}
	p.s.Lock()
	defer p.s.Unlock()
	for {
		for p.stopped && !p.closed {
			p.changed.Wait()
		}
		if p.closed {
			return
		}
		p.s.Unlock()
		n, err := p.c.Read(b)
		p.s.Lock()
		if n > 0 && p.o.OnData != nil {
			p.o.OnData(p, b[:n])
		}
		if err != nil {
			p.ended, p.how = true, engine.Abort
			if errors.Is(err, io.EOF) {
				p.how = engine.Half
			}
			return
		}
	}
}

func (p *socketPeer) write() {
	p.s.Lock()
	defer p.s.Unlock()
	for {
		for len(p.queue) == 0 && !p.finish && !p.closed {
			p.changed.Wait()
		}
		if p.closed {
			return
		}
		if len(p.queue) == 0 {
			_ = p.c.CloseWrite()
			return
		}
		b := p.queue[0]
		if part := 32 << 10; len(b) > part { // so that sent tells how far it got
			b, p.queue[0] = b[:part], b[part:]
		} else {
			p.queue = p.queue[1:]
		}
		p.s.Unlock()
		n, err := p.c.Write(b)
		p.s.Lock()
		p.sent += n
		if err != nil {
			return
		}
	}
}

func (p *socketPeer) Write(b []byte) {
	p.queue = append(p.queue, b)
	p.wake()
}

func (p *socketPeer) Sent() int { return p.sent }

func (p *socketPeer) SetReading(on bool) {
	p.stopped = !on
	p.wake()
}

func (p *socketPeer) CloseWrite() {
	p.finish = true
	p.wake()
}

func (p *socketPeer) Close() {
	if p.c == nil || p.closed {
		return
	}
	p.closed = true
	p.c.Close()
	p.wake()
}

func (p *socketPeer) Reset() {
	if p.c != nil {
		_ = p.c.SetLinger(0)
	}
	p.Close()
}

func (p *socketPeer) End() (engine.How, bool) { return p.how, p.ended }

func (p *socketPeer) wake() {
	if p.changed != nil {
		p.changed.Broadcast()
	}
}
