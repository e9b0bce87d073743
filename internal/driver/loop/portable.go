package loop

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// portable is the backend for systems without epoll: two goroutines per
// connection do blocking I/O, and hand what happens to the loop's goroutine.
// It costs more than epoll, and is weaker in three points: Write copies into a
// buffer of writeBuffer bytes; a connection whose reading is off notices a
// reset only until the one chunk that it reads ahead has come; and a Clean
// close has lingerTime to deliver what is left in that buffer.
type portable struct {
	o        Options
	clock    monotonic
	loops    []*portableLoop
	accepted []atomic.Int64 // per loop: accepted connections it has
}

// writeBuffer is how much a connection takes before Write takes less.
const writeBuffer = 256 << 10

func newPortable(o Options) *portable {
	return &portable{o: o, clock: monotonic{time.Now()}, accepted: make([]atomic.Int64, o.Workers)}
}

// portableLoop is one event loop. Its goroutine owns all but inbox.
type portableLoop struct {
	p     *portable
	index int
	log   *slog.Logger
	h     engine.Handler

	slots []*socket // by ConnID.Index; slot 0 is not used
	gens  []uint32
	free  []uint32
	pool  pool
	now   time.Duration
	later []func() // reports that Driver methods may not make from inside

	mu       sync.Mutex
	inbox    []func() // guarded by mu: events, inside an iteration
	posted   []func() // guarded by mu: between iterations
	closed   bool     // guarded by mu
	wake     chan struct{}
	stopping bool
	sockets  sync.WaitGroup // goroutines
	ended    chan struct{}
}

func (p *portable) newLoop(i int) (eventLoop, error) {
	l := &portableLoop{
		p: p, index: i, log: p.o.Log, slots: []*socket{nil}, gens: []uint32{0},
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	l.h = p.o.NewHandler(i, l)
	p.loops = append(p.loops, l)
	return l, nil
}

func (l *portableLoop) handler() engine.Handler { return l.h }
func (l *portableLoop) done() <-chan struct{}   { return l.ended }
func (l *portableLoop) stop()                   { l.post(func() { l.stopping = true }) }

func (l *portableLoop) run() {
	defer close(l.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.now = l.p.clock.now()
	l.h.Wake(l.now)
	next := l.h.Flush(l.now)
	for {
		l.sleep(timer, next)
		l.mu.Lock()
		posted, events := l.posted, l.inbox
		l.posted, l.inbox = nil, nil
		l.mu.Unlock()
		for _, f := range posted {
			f()
		}
		if l.stopping {
			l.shutdown()
			return
		}
		l.now = l.p.clock.now()
		l.h.Wake(l.now)
		later := l.later
		l.later = nil
		for _, f := range later {
			f()
		}
		for _, f := range events {
			f()
		}
		next = l.h.Flush(l.now)
	}
}

// sleep waits for events, at most until next.
func (l *portableLoop) sleep(timer *time.Timer, next time.Duration) {
	if len(l.later) > 0 {
		return
	}
	if next == engine.Never {
		<-l.wake
		return
	}
	timer.Reset(next - l.p.clock.now())
	select {
	case <-l.wake:
	case <-timer.C:
	}
}

// post implements eventLoop.
func (l *portableLoop) post(f func()) bool { return l.send(&l.posted, f) }

// event has f run inside an iteration; on any goroutine.
func (l *portableLoop) event(f func()) bool { return l.send(&l.inbox, f) }

func (l *portableLoop) send(queue *[]func(), f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	*queue = append(*queue, f)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// shutdown closes all connections and waits for their goroutines.
func (l *portableLoop) shutdown() {
	l.mu.Lock()
	l.closed = true
	events := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, s := range l.slots {
		if s != nil {
			s.abort()
		}
	}
	for _, f := range events { // connections under way close themselves
		f()
	}
	l.sockets.Wait()
}

// portableListener is a listening socket with a goroutine that accepts.
type portableListener struct {
	p    *portable
	l    *net.TCPListener
	name string
	idle sync.WaitGroup
	stop atomic.Bool
}

func (p *portable) listen(name string, addr netip.AddrPort) (acceptor, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	a := &portableListener{p: p, l: l, name: name}
	a.idle.Go(a.accept)
	return a, nil
}

func (a *portableListener) addr() netip.AddrPort {
	return unmap(a.l.Addr())
}

// close implements acceptor. A deadline in the past ends an Accept only when
// nothing waits, so the backlog is emptied first.
func (a *portableListener) close() {
	a.stop.Store(true)
	_ = a.l.SetDeadline(time.Now().Add(acceptGrace))
	a.idle.Wait()
	a.l.Close()
}

// acceptGrace is how long the backlog is still emptied.
const acceptGrace = 20 * time.Millisecond

func (a *portableListener) accept() {
	var said time.Time
	for {
		c, err := a.l.AcceptTCP()
		switch {
		case err == nil:
			a.assign(c)
			continue
		case a.stop.Load():
			return
		case time.Since(said) > acceptQuiet:
			said = time.Now()
			a.p.o.Log.Error("cannot accept connections, trying again until it works", "listener", a.name, "error", err)
		}
		time.Sleep(acceptPause)
	}
}

func (a *portableListener) assign(c *net.TCPConn) {
	p := a.p
	i := lightest(p.accepted, 0)
	p.accepted[i].Add(1)
	l := p.loops[i]
	info := engine.ConnInfo{Listener: a.name, Remote: unmap(c.RemoteAddr()), Local: unmap(c.LocalAddr())}
	if !l.event(func() { l.adopt(c, info) }) {
		c.Close()
	}
}

func unmap(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
