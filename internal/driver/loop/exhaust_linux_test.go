package loop_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Without descriptors the listener rests, says so once, does not spin, and
// accepts when there are some again.
func TestDescriptorsRunOut(t *testing.T) {
	var log lockedBuffer
	s, addr := startEcho(t, loop.Options{Workers: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	client := dial(t, addr)
	echoed(t, client)

	// Dial while descriptors are left, and take all of them at once: the
	// waiting connection cannot be accepted.
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	limit(0)
	defer limit(was.Cur)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(log.String(), "cannot accept") {
		echoed(t, client)
	}
	iterations := func() (n int) {
		if err := s.Do(context.Background(), func(_ int, h engine.Handler) { n = h.(*echo).iterations }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := iterations()
	time.Sleep(500 * time.Millisecond) // an interval to count in
	if n := iterations() - before; n > 20 {
		t.Errorf("%d iterations in half a second", n)
	}
	limit(was.Cur)
	if _, err := unix.Write(fd, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(fd, make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the late echo: %d, %v", n, err)
	}
	if n := strings.Count(log.String(), "cannot accept"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	echoed(t, dial(t, addr))
}
