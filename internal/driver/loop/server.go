package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Options configures a Server.
type Options struct {
	Workers int          // loops; at least 1
	Log     *slog.Logger // nil: slog.Default
	// NewHandler makes the handler of loop i. It is called once per loop, in
	// New, before anything happens; d may be used from then on as engine.Driver
	// says.
	NewHandler func(i int, d engine.Driver) engine.Handler
	// Cluster answers engine.Driver.Cluster, for all loops at once; nil if
	// the handler never asks.
	Cluster func(name string) engine.Cluster
	// Portable selects the driver that needs nothing but package net, also
	// where there is a better one.
	Portable bool
	// SendBuffer is the size in bytes of the kernel's send buffer of each
	// connection; 0 leaves it to the kernel, which is best.
	SendBuffer int
}

// ErrClosed is returned once Close was called.
var ErrClosed = errors.New("loop: server closed")

// Server owns the loops and the listeners. Its methods may be called from any
// goroutine, but not from inside a handler: there Do, Unlisten and Close would
// wait for themselves.
type Server struct {
	backend backend
	loops   []eventLoop
	running sync.WaitGroup

	mu        sync.Mutex
	listeners []*listening
	closed    bool
}

// backend is one way to do I/O.
type backend interface {
	newLoop(i int) (eventLoop, error)
	// listen opens a listening socket and starts to accept.
	listen(name string, addr netip.AddrPort) (acceptor, error)
}

// eventLoop is what the server asks of a loop.
type eventLoop interface {
	// run works until stop; it closes all its connections when it returns.
	run()
	// post has f run between two iterations; false: the loop has ended.
	post(f func()) bool
	// stop makes run return; called at most once.
	stop()
	// done is closed when run has returned.
	done() <-chan struct{}
	handler() engine.Handler
}

// acceptor is an open listening socket.
type acceptor interface {
	addr() netip.AddrPort
	// close accepts what waits in the backlog, then closes, and returns after.
	close()
}

// listening is a listener as the server was asked for it.
type listening struct {
	acceptor
	name  string
	asked netip.AddrPort
}

// New makes the loops and starts them. It fails where the system refuses the
// descriptors that loops need.
func New(o Options) (*Server, error) {
	if o.Workers < 1 {
		return nil, fmt.Errorf("loop: at least one worker needed, not %d", o.Workers)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{backend: newBackend(o)}
	for i := range o.Workers {
		l, err := s.backend.newLoop(i)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("loop: start worker %d: %w", i, err)
		}
		s.loops = append(s.loops, l)
		s.running.Go(l.run)
	}
	return s, nil
}

// Listen opens a listener at addr, port 0 meaning any, and returns the address
// it got. Connections go to the loop that has the fewest. A listener that is
// open already under this name and address is left alone. An error names the
// listener and the address.
func (s *Server) Listen(name string, addr netip.AddrPort) (netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return netip.AddrPort{}, ErrClosed
	}
	for _, l := range s.listeners {
		if l.name == name && (l.asked == addr || l.addr() == addr) {
			return l.addr(), nil
		}
	}
	a, err := s.backend.listen(name, addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listener %s: listen on %s: %w", name, addr, err)
	}
	s.listeners = append(s.listeners, &listening{acceptor: a, name: name, asked: addr})
	return a.addr(), nil
}

// Unlisten closes all listeners of this name. What waits in their backlogs is
// accepted first, so that no client is reset. Connections live on.
func (s *Server) Unlisten(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.listeners[:0]
	for _, l := range s.listeners {
		if l.name == name {
			l.close()
		} else {
			kept = append(kept, l)
		}
	}
	clear(s.listeners[len(kept):])
	s.listeners = kept
}

// Do runs f for one loop after the other, on the loop's goroutine between two
// iterations, and returns when all ran. f may call the handler and, through
// it, the driver; an iteration follows at once. When ctx ends Do returns its
// error, and no f runs from then on.
func (s *Server) Do(ctx context.Context, f func(i int, h engine.Handler)) error {
	for i, l := range s.loops {
		if err := do(ctx, l, func() { f(i, l.handler()) }); err != nil {
			return err
		}
	}
	return nil
}

// do runs f on one loop. Whoever turns claimed first decides: the loop to run
// f, or the end of ctx to leave it.
func do(ctx context.Context, l eventLoop, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var claimed atomic.Bool
	ran := make(chan struct{})
	posted := l.post(func() {
		if claimed.CompareAndSwap(false, true) {
			f()
			close(ran)
		}
	})
	if !posted {
		return ErrClosed
	}
	select {
	case <-ran:
		return nil
	case <-l.done():
	case <-ctx.Done():
		if !claimed.CompareAndSwap(false, true) {
			<-ran // f is running: it must not outlive Do
			return nil
		}
		return ctx.Err()
	}
	select {
	case <-ran:
		return nil
	default:
		return ErrClosed
	}
}

// Close stops the loops, and closes all listeners and connections without
// telling the handlers. No goroutine is left when it returns. The error is
// always nil; a second call does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.running.Wait()
		return nil
	}
	s.closed = true
	for _, l := range s.listeners {
		l.close()
	}
	s.listeners = nil
	s.mu.Unlock()
	for _, l := range s.loops {
		l.stop()
	}
	s.running.Wait()
	return nil
}

// monotonic is the clock of all loops of a server.
type monotonic struct{ start time.Time }

func (m monotonic) now() time.Duration { return time.Since(m.start) }

// lightest returns the index of the smallest count, preferring prefer.
func lightest(counts []atomic.Int64, prefer int) int {
	best, least := prefer, counts[prefer].Load()
	for i := range counts {
		if n := counts[i].Load(); n < least {
			best, least = i, n
		}
	}
	return best
}

// A Clean close discards what the peer still sends, so that the kernel does
// not answer it with a reset that would overtake our last bytes: for at most
// lingerTime, reading at most lingerBytes.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// When descriptors or memory run out, a listener rests for acceptPause, and
// says so at most once per acceptQuiet.
const (
	acceptPause = 100 * time.Millisecond
	acceptQuiet = 10 * time.Second
)
