package loop_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// echo answers what it reads, at the end of the iteration.
type echo struct {
	d                 engine.Driver
	bufs              [1][]byte
	conns, iterations int
}

func (e *echo) Wake(time.Duration)                         { e.iterations++ }
func (e *echo) Opened(c engine.ConnID, in engine.ConnInfo) { e.conns++ }
func (e *echo) Readable(c engine.ConnID, b []byte) int {
	e.bufs[0] = b
	return e.d.Write(c, e.bufs[:])
}
func (e *echo) Writable(c engine.ConnID) { e.d.SetReading(c, true) }
func (e *echo) Closed(c engine.ConnID, why engine.How) {
	e.conns--
	if why == engine.Half {
		e.d.Close(c, engine.Clean)
	}
}
func (e *echo) Flush(time.Duration) time.Duration { return engine.Never }

func startEcho(t testing.TB, o loop.Options) (*loop.Server, netip.AddrPort) {
	t.Helper()
	o.NewHandler = func(i int, d engine.Driver) engine.Handler { return &echo{d: d} }
	s, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	addr, err := s.Listen("echo", loopback)
	if err != nil {
		t.Fatal(err)
	}
	return s, addr
}

func dial(t testing.TB, addr netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// In steady state nothing is allocated.
func TestEchoAllocatesNothing(t *testing.T) {
	_, addr := startEcho(t, loop.Options{Workers: 1})
	c := dial(t, addr)
	msg := make([]byte, 128)
	round := func() {
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, msg); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		round()
	}
	const rounds = 100_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > rounds/100 { // the runtime itself allocates now and then
		t.Errorf("%d allocations in %d echoes", n, rounds)
	}
}

// Few connections spread over the loops, too.
func TestConnectionsSpread(t *testing.T) {
	s, addr := startEcho(t, loop.Options{Workers: 4})
	b := make([]byte, 1)
	for range 8 {
		c := dial(t, addr)
		c.Write(b)
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
	var got [4]int
	if err := s.Do(context.Background(), func(i int, h engine.Handler) { got[i] = h.(*echo).conns }); err != nil {
		t.Fatal(err)
	}
	if got != [4]int{2, 2, 2, 2} {
		t.Errorf("connections per loop: %v", got)
	}
}
