package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Process is a running child. Stop ends and reaps it.
type Process struct {
	PID     int
	Stdin   io.WriteCloser
	Metrics string // URL of a Go program's Prometheus metrics; may be empty
	stdout  *json.Decoder
	cmd     *exec.Cmd
	log     tail
	done    chan struct{} // closed when it has ended
	helper  *Process      // stopped with it; may be nil
}

// StartPinned runs a program whose every thread stays on one core. The caller
// must have locked its OS thread: the child inherits that thread's affinity,
// so that no thread of it ever runs elsewhere, and dies with it.
func StartPinned(core int, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.log
	var err error
	if p.Stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = json.NewDecoder(stdout)
	if err := onCore(core, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.PID = p.cmd.Process.Pid
	go func() {
		// Not Wait: it would close the pipe under a reader. Stop reaps.
		var info unix.Siginfo
		for unix.Waitid(unix.P_PID, p.PID, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		close(p.done)
	}()
	return p, nil
}

// onCore calls start while this thread is confined to one core.
func onCore(core int, start func() error) error {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity to core %d: %w", core, err)
	}
	err := start()
	if e := unix.SchedSetaffinity(0, &old); err == nil && e != nil {
		err = fmt.Errorf("sched_setaffinity back: %w", e)
	}
	return err
}

// Receive decodes the next JSON value of the process's standard output. When
// ctx ends first, the process is killed.
func (p *Process) Receive(ctx context.Context, v any) error {
	defer context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })()
	err := p.stdout.Decode(v)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == io.EOF:
		return fmt.Errorf("it ended without a result: %s", p.Log())
	}
	return fmt.Errorf("its output: %w", err)
}

// Ended is closed when the process has ended by itself or was stopped.
func (p *Process) Ended() <-chan struct{} { return p.done }

// State says whether the process still runs, and the last of its log.
func (p *Process) State() string {
	state := "runs"
	select {
	case <-p.done:
		state = "has ended"
	default:
	}
	return state + "; its log: " + p.Log()
}

// Log is the last of what the process wrote to its standard error.
func (p *Process) Log() string { return p.log.String() }

// Stop kills the process if it still runs and reaps it.
func (p *Process) Stop() {
	p.cmd.Process.Kill()
	<-p.done
	p.cmd.Wait()
	if p.helper != nil {
		p.helper.Stop()
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 4 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > most {
		t.b = bytes.Clone(t.b[len(t.b)-most:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

// FreePort finds a port of 127.0.0.1 that nothing listens on, below the range
// from which Linux takes ports for outgoing connections: nobody gets it by
// chance before the proxy binds it. seed spreads concurrent benchmarks.
func FreePort(seed int) (string, error) {
	for i := range portCount {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+(seed+i)%portCount)
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port from %d to %d", firstPort, firstPort+portCount-1)
}

const firstPort, portCount = 20000, 12000

// freePorts finds n more ports, behind one that FreePort gave.
func freePorts(behind string, n int) ([]string, error) {
	a, err := netip.ParseAddrPort(behind)
	if err != nil {
		return nil, err
	}
	var addrs []string
	for range n {
		addr, err := FreePort(int(a.Port()) - firstPort + 1)
		if err != nil {
			return nil, err
		}
		addrs, a = append(addrs, addr), netip.MustParseAddrPort(addr)
	}
	return addrs, nil
}
