package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
)

// prepare checks and sets what the whole run needs of the machine.
func (o *options) prepare() error {
	b := &o.bench
	var mask unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mask); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	if !mask.IsSet(b.ProxyCore) || !mask.IsSet(b.LoadCore) || b.ProxyCore == b.LoadCore {
		return fmt.Errorf("the proxy and the load need two cores of their own: %d and %d of %d that may be used", b.ProxyCore, b.LoadCore, mask.Count())
	}
	var err error
	if b.Self, err = os.Executable(); err != nil {
		return err
	}
	b.Log = os.Stderr
	return o.raiseLimit()
}

// raiseLimit makes room for a proxy that holds two sockets per idle connection.
func (o *options) raiseLimit() error {
	const others = 2000
	want := uint64(2*o.bench.Idle + others)
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	// syscall's, not unix's own call: only what was set through it is passed
	// on to children.
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: max(l.Max, want), Max: max(l.Max, want)})
	if err == nil || l.Max >= want {
		return nil
	}
	o.bench.Idle = int(l.Max-others) / 2
	if o.bench.Idle < 1 {
		return fmt.Errorf("at most %d open files: too few for a benchmark", l.Max)
	}
	fmt.Fprintf(os.Stderr, "bench: at most %d open files (raising that takes CAP_SYS_RESOURCE): %d idle connections instead\n", l.Max, o.bench.Idle)
	return nil
}

// heading says when, how and on what the tables were measured.
func (o *options) heading(ctx context.Context, have *proxy.Installed) string {
	b := &o.bench
	var u unix.Utsname
	unix.Uname(&u)
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	machine := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), cpuModel()),
		"Linux " + unix.ByteSliceToString(u.Release[:]),
		strings.Replace(runtime.Version(), "go", "Go ", 1),
	}
	machine = append(machine, have.Versions(ctx)...)
	return fmt.Sprintf("Measured %s with `%s`: medians of %d interleaved rounds of %v, proxy on core %d, load generator and echo server on core %d.\n\nMachine: %s; load average before the run %s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), o.command, b.Rounds, b.Window, b.ProxyCore, b.LoadCore, strings.Join(machine, ", "), load)
}

func cpuModel() string {
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// read is a file of /proc, or nothing: the heading is not worth an error.
func read(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}
