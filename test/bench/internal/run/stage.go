package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/procstat"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
)

func (b *Bench) startServer(ctx context.Context, wire string) (*proxy.Process, []string, error) {
	p, err := proxy.StartPinned(b.LoadCore, b.Self, "serve", "-wire", wire)
	if err != nil {
		return nil, nil, err
	}
	var addrs []string
	if err := p.Receive(ctx, &addrs); err != nil {
		p.Stop()
		return nil, nil, err
	}
	return p, addrs, nil
}

// load puts the proxy, nil if there is none, under load.
func (b *Bench) load(ctx context.Context, c Case, targets []string, under, server *proxy.Process) (Sample, error) {
	pid := 0
	if under != nil {
		pid = under.PID
	}
	args := []string{"load", "-wire", c.Wire, "-targets", strings.Join(targets, ","),
		"-conns", strconv.Itoa(c.Conns), "-depth", strconv.Itoa(c.Depth), "-size", strconv.Itoa(c.Size), "-rate", strconv.Itoa(c.Rate),
		"-warmup", b.Warmup.String(), "-window", b.Window.String(),
		"-proxy", strconv.Itoa(pid), "-server", strconv.Itoa(server.PID)}
	if c.Heap {
		args = append(args, "-replies", strconv.Itoa(heapReplies), "-metrics", under.Metrics)
	}
	p, err := proxy.StartPinned(b.LoadCore, b.Self, args...)
	if err != nil {
		return Sample{}, err
	}
	defer p.Stop()
	var s Sample
	if err := p.Receive(ctx, &s.Load); err != nil {
		return Sample{}, fmt.Errorf("load generator: %w", err)
	}
	if s.Load.Verified == 0 {
		return Sample{}, errors.New("no reply within the window")
	}
	if pid != 0 {
		s.RSS, err = procstat.RSS(pid)
	}
	return s, err
}

// served ends the server and wants that both endpoints had requests: a proxy
// that splits nothing does less than the others. One connection through a
// TCP proxy has one endpoint.
func served(ctx context.Context, c Case, server *proxy.Process) error {
	server.Stdin.Close()
	var n []uint64
	if err := server.Receive(ctx, &n); err != nil {
		return fmt.Errorf("echo server: %w", err)
	}
	if slices.Contains(n, 0) && c.Conns > 1 {
		return fmt.Errorf("the endpoints served %d requests: no split", n)
	}
	return nil
}

// idle opens connections that do nothing, then sends one request on each, and
// reads the proxy's memory in between.
func (b *Bench) idle(ctx context.Context, c Case, target string, pid int) (Memory, error) {
	m := Memory{Conns: b.Idle}
	var err error
	if m.Fresh, err = settled(ctx, pid); err != nil {
		return m, err
	}
	descriptors, err := procstat.Descriptors(pid)
	if err != nil {
		return m, err
	}
	p, err := proxy.StartPinned(b.LoadCore, b.Self, "idle", "-wire", c.Wire, "-target", target, "-conns", strconv.Itoa(b.Idle))
	if err != nil {
		return m, err
	}
	defer p.Stop()
	var word string
	if err := p.Receive(ctx, &word); err != nil {
		return m, fmt.Errorf("idle connections: %w", err)
	}
	// Connected may mean queued in the kernel: wait until the proxy has them.
	accepted := func() (bool, error) {
		n, err := procstat.Descriptors(pid)
		return n >= descriptors+b.Idle, err
	}
	if err := poll(ctx, 50*time.Millisecond, accepted); err != nil {
		return m, fmt.Errorf("waiting for %d connections to be accepted: %w", b.Idle, err)
	}
	if m.Open, err = settled(ctx, pid); err != nil {
		return m, err
	}
	if _, err := p.Stdin.Write([]byte("\n")); err != nil {
		return m, err
	}
	if err := p.Receive(ctx, &word); err != nil {
		return m, fmt.Errorf("requests on idle connections: %w", err)
	}
	m.Used, err = settled(ctx, pid)
	return m, err
}

// settled returns a process's memory once it has been the same for a second.
func settled(ctx context.Context, pid int) (int64, error) {
	const every, times = 100 * time.Millisecond, 10
	var last int64
	same := 0
	err := poll(ctx, every, func() (bool, error) {
		rss, err := procstat.RSS(pid)
		if rss != last {
			last, same = rss, 0
		}
		same++
		return same > times, err
	})
	if err != nil {
		return 0, fmt.Errorf("waiting for the memory of process %d to settle: %w", pid, err)
	}
	return last, nil
}

// poll asks until done says yes, fails, or ctx ends.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// answers waits until a request through the proxy has its reply.
func answers(ctx context.Context, wire, addr string, p *proxy.Process) error {
	w, err := frame.ByName(wire)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var last error
	err = poll(ctx, 20*time.Millisecond, func() (bool, error) {
		select {
		case <-p.Ended():
			return false, errors.New("it has ended")
		default:
		}
		last = Probe(w, addr)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the proxy does not answer: %w; last attempt: %v; its log: %s", err, last, p.Log())
	}
	return nil
}

// Probe sends one request on a connection of its own and verifies the reply.
func Probe(w frame.Wire, addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	return Exchange(w, c)
}

// Exchange sends one request on c and verifies the reply, within five seconds.
func Exchange(w frame.Wire, c net.Conn) error {
	const id, payload = 1, "one request, for the sake of it"
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(w.AppendRequest(nil, id, []byte(payload))); err != nil {
		return err
	}
	b := make([]byte, 0, 1024)
	for {
		n, err := w.Size(b)
		if err != nil {
			return err
		}
		if n > 0 && len(b) >= n {
			break
		}
		m, err := c.Read(b[len(b):cap(b)])
		if err == nil && m == 0 {
			err = io.ErrShortBuffer
		}
		if err != nil {
			return err
		}
		b = b[:len(b)+m]
	}
	got, text, err := w.Reply(b)
	if err == nil && (got != id || string(text) != payload) {
		err = fmt.Errorf("reply %d %q to request %d %q", got, text, id, payload)
	}
	return err
}
