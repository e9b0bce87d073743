package harness

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long a process may take to end after SIGTERM.
const stopPatience = 20 * time.Second

// Process is a program that runs until it is stopped. Its stderr goes to a
// file in the mesh's folder; its last lines are part of every error.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  string        // path of its stderr
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed

	mu    sync.Mutex
	lines []string // of stdout; guarded by mu
	more  *sync.Cond
	eof   bool // guarded by mu
}

// start runs a program in a process group of its own, so that nothing which
// it starts is left behind.
func start(name, logFile, path string, args ...string) (*Process, error) {
	stderr, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p := &Process{Name: name, cmd: exec.Command(path, args...), log: logFile, done: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	p.cmd.Stderr = stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go p.collect(stdout)
	return p, nil
}

// collect keeps the lines of stdout until the process ends.
func (p *Process) collect(stdout io.Reader) {
	for in := bufio.NewScanner(stdout); in.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, in.Text())
		p.mu.Unlock()
		p.more.Broadcast()
	}
	p.err = p.cmd.Wait()
	p.mu.Lock()
	p.eof = true
	p.mu.Unlock()
	p.more.Broadcast()
	close(p.done)
}

// Line returns the n-th line of stdout, as soon as it is there; false if the
// process ended before.
func (p *Process) Line(n int) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.lines) <= n && !p.eof {
		p.more.Wait()
	}
	if n < len(p.lines) {
		return p.lines[n], true
	}
	return "", false
}

// Last returns the last line of stdout so far, or "".
func (p *Process) Last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) == 0 {
		return ""
	}
	return p.lines[len(p.lines)-1]
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Wait returns when the process has ended; the error tells how, with the end
// of its log, or that ctx ended first.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.Log(20))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s still runs: %w\n%s", p.Name, ctx.Err(), p.Log(20))
	}
}

// Stop sends SIGTERM and waits; after stopPatience it kills the whole group
// and says so.
func (p *Process) Stop() error {
	p.Signal(syscall.SIGTERM) // an error means that it has ended
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	err := p.Wait(ctx)
	p.Kill()
	return err
}

// Kill ends the process and what it started at once.
func (p *Process) Kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // an error means that they have ended
	<-p.done
}

// Log returns the last lines of stderr.
func (p *Process) Log(lines int) string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(string(bytes.TrimRight(b, "\n")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
