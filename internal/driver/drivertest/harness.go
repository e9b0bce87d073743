package drivertest

import (
	"sync"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Listener is the name under which a Harness accepts connections.
const Listener = "kit"

// Harness is a driver with one worker, one listener and everything that peers
// do. All methods but Lock and Unlock are called with the lock held, and give
// it up while they wait.
type Harness interface {
	sync.Locker
	// Start starts the worker, whose listener is Listener; called once, first.
	Start(newHandler func(d engine.Driver) engine.Handler)
	// Dial connects a peer to the listener. If it is refused, the peer's End
	// tells ConnectFailed.
	Dial(o PeerOptions) Peer
	// Serve returns where a worker can connect to, and the peers that it met
	// there so far.
	Serve(o PeerOptions) (t engine.Target, peers func() []Peer)
	// Refused is where nothing listens; Silent never answers.
	Refused() engine.Target
	Silent() engine.Target
	// StopAccepting closes the listener after accepting who waits.
	StopAccepting()
	// Do runs f on the worker's goroutine between iterations, and waits.
	Do(f func())
	// Wait returns when cond holds; false after a generous time.
	Wait(cond func() bool) bool
	// Pass lets time pass.
	Pass(d time.Duration)
}

// PeerOptions are what peers are made with.
type PeerOptions struct {
	// OnData gets what arrives, in order; called with the lock held. b must
	// not be kept.
	OnData func(p Peer, b []byte)
	// Buffer is the size in bytes of the transport's buffers at the peer; 0:
	// as usual.
	Buffer int
}

// Peer is the other side of a worker's connection. No method waits.
type Peer interface {
	// Write queues b, which must not be changed afterwards.
	Write(b []byte)
	// Sent counts the bytes that the transport took.
	Sent() int
	// SetReading stops and continues taking bytes from the transport.
	SetReading(on bool)
	// CloseWrite ends the peer's direction after what was queued.
	CloseWrite()
	// Close ends both directions at once; Reset so that the worker sees it.
	Close()
	Reset()
	// End tells whether and how the worker's direction ended: Half, Abort or
	// ConnectFailed.
	End() (how engine.How, ended bool)
}

// Run runs all cases, each with a harness of its own; fresh registers with t
// what is to be cleaned up.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := &kit{Harness: fresh(t), t: t}
			k.Lock()
			defer k.Unlock()
			k.s = newScript(k)
			k.Start(func(d engine.Driver) engine.Handler {
				k.s.d = &checkedDriver{s: k.s, d: d}
				return k.s
			})
			c.run(k)
		})
	}
}

// testCase is one promise.
type testCase struct {
	name string
	run  func(k *kit)
}

var cases = append(append(append(streamCases, closeCases...), connectCases...), loopCases...)

// kit is what a case works with.
type kit struct {
	Harness
	t *testing.T
	s *script
}

// wait fails the test when cond does not come true.
func (k *kit) wait(what string, cond func() bool) {
	k.t.Helper()
	if !k.Wait(cond) {
		k.t.Fatalf("waited in vain for %s", what)
	}
}

// dial connects a peer and waits until the worker has it.
func (k *kit) dial(o PeerOptions) (Peer, engine.ConnID) {
	k.t.Helper()
	n := len(k.s.opened)
	p := k.Dial(o)
	k.wait("the connection", func() bool { return len(k.s.opened) > n })
	return p, k.s.opened[n]
}

// dialSink is dial with a peer that remembers what it got.
func (k *kit) dialSink() (Peer, engine.ConnID, *sink) {
	s := &sink{}
	p, c := k.dial(PeerOptions{OnData: s.take})
	return p, c, s
}

// sink remembers what a peer got.
type sink struct{ got []byte }

func (s *sink) take(_ Peer, b []byte) { s.got = append(s.got, b...) }

// ended tells whether the worker's direction ended this way at p.
func ended(p Peer, how engine.How) func() bool {
	return func() bool {
		got, is := p.End()
		return is && got == how
	}
}
