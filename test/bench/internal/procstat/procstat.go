// Package procstat reads what the kernel knows about a process.
package procstat

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the user and system time of a process since its start, threads that
// ended included: the sum that /proc/PID/stat shows in ticks of 10 ms, read
// from the process's CPU clock in nanoseconds.
func CPU(pid int) (time.Duration, error) {
	// The clock of a process (clock_getcpuclockid): the complement of the pid
	// above three bits of kind; 2 is the scheduler's precise time.
	const scheduled = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Waited is how long a process's threads were runnable and did not run,
// because something else had the core: the noise of a shared machine.
func Waited(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("no threads of process %d", pid)
	}
	var sum time.Duration
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue // the thread ended
		}
		if f := bytes.Fields(b); len(f) == 3 {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", t, err)
			}
			sum += time.Duration(n)
		}
	}
	return sum, nil
}

// RSS is the resident memory of a process in bytes, exact (VmRSS may lag by
// what each thread has not yet added to it).
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "Rss:" {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no Rss in smaps_rollup of process %d", pid)
}

// Descriptors is the number of file descriptors that a process has open.
func Descriptors(pid int) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return len(names), err
}
