package procstat

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func rusage(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestCPUIsUserPlusSystemTime(t *testing.T) {
	for x := 0; rusage(t) < 200*time.Millisecond; x++ {
	}
	before := rusage(t)
	got, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := rusage(t)
	const tick = 10 * time.Millisecond // getrusage may lag by one
	if got < before-tick || got > after+tick {
		t.Errorf("CPU %v, getrusage said %v and then %v", got, before, after)
	}
}

func TestReadingsOfThisProcess(t *testing.T) {
	pid := os.Getpid()
	if rss, err := RSS(pid); err != nil || rss < 1<<20 || rss > 1<<32 {
		t.Errorf("RSS %d, error %v", rss, err)
	}
	if _, err := Waited(pid); err != nil {
		t.Error(err)
	}
	n, err := Descriptors(pid)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if m, err := Descriptors(pid); err != nil || m != n+2 {
		t.Errorf("%d descriptors, then %d after a pipe, error %v", n, m, err)
	}
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	const gone = 1<<22 + 1 // above the largest pid_max
	if _, err := CPU(gone); err == nil {
		t.Error("CPU")
	}
	if _, err := Waited(gone); err == nil {
		t.Error("Waited")
	}
	if _, err := RSS(gone); err == nil {
		t.Error("RSS")
	}
	if _, err := Descriptors(gone); err == nil {
		t.Error("Descriptors")
	}
}
