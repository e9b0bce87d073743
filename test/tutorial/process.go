package tutorial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is one that goes on beside the reader's next steps.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed

	mu      sync.Mutex // guards what follows
	out     bytes.Buffer
	waiting string        // the text that announces readiness
	found   chan struct{} // closed when it was printed
}

// start starts what command describes; its stdout and stderr are kept.
func start(command *exec.Cmd) (*process, error) {
	p := &process{cmd: command, done: make(chan struct{}), found: make(chan struct{})}
	command.Stdout, command.Stderr = p, p
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	return p, nil
}

// Write implements io.Writer: the process has printed b.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	p.look()
	return len(b), nil
}

// look is called with mu held.
func (p *process) look() {
	if p.waiting != "" && strings.Contains(p.out.String(), p.waiting) {
		p.waiting = ""
		close(p.found)
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// ready returns when the process has printed the text; it may be called once.
func (p *process) ready(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	p.mu.Lock()
	p.waiting = text
	p.look()
	p.mu.Unlock()
	select {
	case <-p.found:
		return nil
	case <-p.done:
		return fmt.Errorf("it ended without %q: %w\n%s", text, p.err, p.said())
	case <-ctx.Done():
		return fmt.Errorf("it has not printed %q:\n%s", text, p.said())
	}
}

// ended returns when the process has ended by itself, and how.
func (p *process) ended(ctx context.Context) error {
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%w\n%s", p.err, p.said())
		}
		return nil
	case <-ctx.Done():
		return errors.New("it has not ended")
	}
}

// stop asks the process to end, as Ctrl-C does. An error tells that it had
// ended before, or did not end in time, or not with 0.
func (p *process) stop(ctx context.Context) error {
	group := -p.cmd.Process.Pid
	defer syscall.Kill(group, syscall.SIGKILL) // also what it may have left
	select {
	case <-p.done:
		return fmt.Errorf("it ended too early: %v", p.err)
	default:
	}
	if err := syscall.Kill(group, syscall.SIGINT); err != nil {
		return err
	}
	return p.ended(ctx)
}
