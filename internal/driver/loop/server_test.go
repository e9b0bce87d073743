package loop_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// both runs a test with either driver.
func both(t *testing.T, f func(t *testing.T, o loop.Options)) {
	t.Run("native", func(t *testing.T) { f(t, loop.Options{Workers: 2}) })
	t.Run("portable", func(t *testing.T) { f(t, loop.Options{Workers: 2, Portable: true}) })
}

// echoed sends a byte and waits for it.
func echoed(t *testing.T, c net.Conn) {
	t.Helper()
	b := []byte{'x'}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
}

func TestListen(t *testing.T) {
	both(t, func(t *testing.T, o loop.Options) {
		s, addr := startEcho(t, o)
		for _, again := range []func() (any, error){
			func() (any, error) { return s.Listen("echo", loopback) },
			func() (any, error) { return s.Listen("echo", addr) },
		} {
			if got, err := again(); err != nil || got != addr {
				t.Errorf("again: %v, %v, want %v", got, err, addr)
			}
		}
		_, err := s.Listen("other", addr)
		if err == nil || !strings.Contains(err.Error(), "listener other") || !strings.Contains(err.Error(), addr.String()) {
			t.Errorf("a taken address: %v", err)
		}
		old := dial(t, addr)
		echoed(t, old)
		s.Unlisten("echo")
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Error("still accepting")
		}
		if _, err := s.Listen("other", addr); err != nil {
			t.Errorf("the address is not free: %v", err)
		}
		echoed(t, old)
		echoed(t, dial(t, addr))
	})
}

func TestDo(t *testing.T) {
	both(t, func(t *testing.T, o loop.Options) {
		s, _ := startEcho(t, o)
		var ran []int
		if err := s.Do(context.Background(), func(i int, h engine.Handler) { ran = append(ran, i) }); err != nil {
			t.Fatal(err)
		}
		if len(ran) != 2 || ran[0] != 0 || ran[1] != 1 {
			t.Errorf("ran on %v", ran)
		}
		ctx, cancel := context.WithCancel(context.Background())
		first := true
		err := s.Do(ctx, func(i int, h engine.Handler) {
			if !first {
				t.Error("ran after the context ended")
			}
			first = false
			cancel()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		s.Close()
		if err := s.Do(context.Background(), func(int, engine.Handler) {}); !errors.Is(err, loop.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := s.Listen("late", loopback); !errors.Is(err, loop.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Nothing is left after Close, whatever was going on.
func TestCloseLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, o loop.Options) {
		before := runtime.NumGoroutine()
		s, addr := startEcho(t, o)
		conns := make([]net.Conn, 20)
		for i := range conns {
			conns[i] = dial(t, addr)
			echoed(t, conns[i])
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// A goroutine tells that it is done a moment before it is gone.
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > before {
			buf := make([]byte, 1<<16)
			t.Errorf("%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
		for _, c := range conns {
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a connection outlived Close: %v", err)
			}
		}
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Error("still listening")
		}
		s.Close() // a second time
	})
}

func TestNoWorkers(t *testing.T) {
	if _, err := loop.New(loop.Options{}); err == nil {
		t.Error("no error")
	}
}
