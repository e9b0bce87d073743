package load

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/echo"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
)

func wire(t *testing.T, name string) frame.Wire {
	t.Helper()
	w, err := frame.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// endpoints runs an echo server until the test ends and returns what each
// endpoint served through the last function.
func endpoints(t *testing.T, w frame.Wire) (addrs []string, served func() []uint64) {
	t.Helper()
	s, addrs, err := echo.New(w, 2)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []uint64, 1)
	go func() {
		n, err := s.Run()
		if err != nil {
			t.Error(err)
		}
		done <- n
	}()
	served = func() []uint64 {
		s.Stop()
		n := <-done
		done <- n
		return n
	}
	t.Cleanup(func() { served() })
	return addrs, served
}

func TestEveryReplyIsVerifiedInBothLoops(t *testing.T) {
	tests := []struct {
		name string
		o    Options
	}{
		{"closed, one in flight", Options{Conns: 4, Depth: 1, Size: 128}},
		{"closed, pipelined", Options{Conns: 3, Depth: 16, Size: 4096}},
		{"closed, more than a socket holds", Options{Conns: 2, Depth: 256, Size: MaxSize}},
		{"open", Options{Conns: 8, Rate: 5000, Size: MinSize}},
	}
	for _, protocol := range []string{"thrift", "dubbo"} {
		for _, tt := range tests {
			t.Run(protocol+", "+tt.name, func(t *testing.T) {
				w := wire(t, protocol)
				addrs, served := endpoints(t, w)
				tt.o.Wire, tt.o.Targets, tt.o.Warmup, tt.o.Window = w, addrs, 20*time.Millisecond, 200*time.Millisecond
				r, err := Run(tt.o)
				if err != nil {
					t.Fatal(err)
				}
				if r.Verified == 0 || r.Elapsed < tt.o.Window || r.P50 == 0 || r.P50 > r.P99 || r.P99 > r.P999 || r.P999 > r.Max {
					t.Errorf("result %+v", r)
				}
				if n := served(); n[0] == 0 || n[1] == 0 || n[0]+n[1] < r.Verified {
					t.Errorf("endpoints served %d, verified %d", n, r.Verified)
				}
			})
		}
	}
}

// A generator that did not get its core sends late; that is latency too.
func TestOpenLoopMeasuresFromTheIntendedTime(t *testing.T) {
	const late, rate = 100 * time.Millisecond, 1000
	w := wire(t, "thrift")
	addrs, _ := endpoints(t, w)
	g, err := connect(Options{Wire: w, Targets: addrs, Conns: 4, Rate: rate, Size: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	pace := g.schedule(g.now() - late)
	g.windowFrom = -late
	if _, err := pace(); err != nil {
		t.Fatal(err)
	}
	if err := g.drain(); err != nil {
		t.Fatal(err)
	}
	if n := g.latencies.Count(); n < uint64(late.Milliseconds())*rate/1000 {
		t.Errorf("%d requests sent for %v at %d/s", n, late, rate)
	}
	if p50 := g.latencies.Quantile(0.5); p50 < late/2 || g.latencies.Max() < late {
		t.Errorf("p50 %v, max %v of requests due up to %v ago", p50, g.latencies.Max(), late)
	}
}

// The open loop must charge a stall to the requests that were due during it.
func TestOpenLoopSendsDuringAStall(t *testing.T) {
	const stall = 100 * time.Millisecond
	w := wire(t, "thrift")
	n := 0
	addr := serve(t, func(c net.Conn, msg []byte) []byte {
		if n++; n == 100 {
			time.Sleep(stall) // the fault under test, not a synchronisation
		}
		b, err := w.AppendAnswer(nil, msg)
		if err != nil {
			t.Error(err)
		}
		return b
	})
	r, err := Run(Options{Wire: w, Targets: []string{addr}, Conns: 1, Rate: 1000, Size: 64, Window: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	// About 100 of 500 requests were due during the stall and waited 50 ms on
	// average; a closed loop would show one slow request.
	if r.P50 > stall/2 || r.P99 < stall*3/4 {
		t.Errorf("p50 %v, p99 %v with a stall of %v", r.P50, r.P99, stall)
	}
}

func TestWrongRepliesAreErrors(t *testing.T) {
	w := wire(t, "thrift")
	honest := func(msg []byte) []byte {
		b, _ := w.AppendAnswer(nil, msg)
		return b
	}
	tests := []struct {
		name, want string
		answer     func(n int, msg []byte) []byte
	}{
		{"another payload", "carries", func(n int, msg []byte) []byte {
			b := honest(msg)
			b[len(b)-2]++
			return b
		}},
		{"an id that was never sent", "not in flight", func(n int, msg []byte) []byte {
			b := honest(msg)
			b[len("lenntypesizesayHello")]++
			return b
		}},
		{"twice", "not in flight", func(n int, msg []byte) []byte {
			return append(honest(msg), honest(msg)...)
		}},
		{"never", "no reply", func(n int, msg []byte) []byte {
			if n == 3 {
				return nil
			}
			return honest(msg)
		}},
		{"a close", "EOF", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			addr := serve(t, func(c net.Conn, msg []byte) []byte {
				n++
				if tt.answer == nil {
					c.Close()
					return nil
				}
				return tt.answer(n, msg)
			})
			_, err := Run(Options{Wire: w, Targets: []string{addr}, Conns: 1, Depth: 1, Size: 64, Window: 50 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestIDsAreNeverZeroAndNeverRepeatSoon(t *testing.T) {
	c := newConn(-1, 0, 1)
	last := map[uint64]int{}
	for i := range 1_200_000 { // past the wrap at 2^31 / 2^12
		id := c.take(0)
		if id == 0 || id >= 1<<31 {
			t.Fatalf("id %#x", id)
		}
		if at, seen := last[id]; seen && i-at < 500_000 {
			t.Fatalf("id %#x again after %d requests", id, i-at)
		}
		last[id] = i
		if _, err := c.settle(id); err != nil {
			t.Fatal(err)
		}
	}
}

// serve answers framed Thrift with what answer returns, one connection at a time.
func serve(t *testing.T, answer func(c net.Conn, msg []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var b []byte
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			b = append(b, buf[:n]...)
			for size, _ := (frame.Thrift{}).Size(b); size > 0 && size <= len(b); size, _ = (frame.Thrift{}).Size(b) {
				c.Write(answer(c, b[:size]))
				b = b[size:]
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}
