// Package load is the load generator: one thread that keeps requests in flight
// (closed loop) or sends them by the clock (open loop), verifies every reply,
// and reads the proxy's CPU clock at both ends of the measured window.
package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/latency"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/poll"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/procstat"
)

// Options say what to send where.
type Options struct {
	Wire    frame.Wire
	Targets []string // connections go to them in turn
	Conns   int
	Depth   int // requests in flight per connection; closed loop
	Rate    int // requests per second over all connections; 0: closed loop
	Size    int // payload bytes, MinSize to MaxSize
	Warmup  time.Duration
	Window  time.Duration
	Proxy   int // process whose CPU is read; 0: none
	Server  int // likewise the echo server
	// Replies, if not 0, is how many replies the window has at least; it goes
	// on until then.
	Replies uint64
	// Metrics, if not empty, is where the proxy tells how many heap objects it
	// allocated. The load stands still while it is asked, so latencies and
	// rate are not to be used.
	Metrics string
}

const (
	// MinSize is room for what makes each payload unlike every other.
	MinSize = 32
	// MaxSize is what one chunk of a Hessian 2 string holds.
	MaxSize = 32767
	// openDepth is how far one connection of the open loop may fall behind.
	openDepth = 1 << slotBits
	// MaxDepth is the most requests in flight per connection.
	MaxDepth = 1 << slotBits

	drainTimeout = 5 * time.Second
)

// Result is what one run measured. Times are nanoseconds in JSON.
type Result struct {
	Verified uint64        // replies within the window, each with its request's id and payload
	Elapsed  time.Duration // the window as it really was
	ProxyCPU time.Duration // user and system time within the window
	Waited   time.Duration // how long the proxy was runnable without a core
	LoadCPU  time.Duration
	EchoCPU  time.Duration
	Objects  int64 // heap objects that the proxy allocated in the window; with Metrics

	P50, P99, P999, Max time.Duration
}

// clocks are the readings that a window subtracts.
type clocks struct {
	at                        time.Duration
	proxy, waited, load, echo time.Duration
}

type generator struct {
	Options
	poller  *poll.Poller
	conns   []*conn // in order of opening
	byFD    []*conn
	in, out []byte
	payload []byte
	start   time.Time

	latencies  latency.Recorder
	verified   uint64
	inFlight   int
	refill     bool          // closed loop: answer each reply with a request
	windowFrom time.Duration // only requests due from here on are recorded
}

// Run connects, warms up, measures, and waits for every reply that is still
// due. A wrong, missing or unreadable reply is an error: such a run has no result.
func Run(o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	g, err := connect(o)
	if g != nil {
		defer g.close()
	}
	if err != nil {
		return nil, err
	}
	return g.run()
}

func (o *Options) check() error {
	switch {
	case o.Size < MinSize || o.Size > MaxSize:
		return fmt.Errorf("payload of %d to %d bytes, not %d", MinSize, MaxSize, o.Size)
	case o.Conns < 1 || len(o.Targets) == 0:
		return fmt.Errorf("%d connections to %d targets", o.Conns, len(o.Targets))
	case o.Rate == 0 && (o.Depth < 1 || o.Depth > MaxDepth):
		return fmt.Errorf("1 to %d requests in flight, not %d", MaxDepth, o.Depth)
	}
	return nil
}

func connect(o Options) (*generator, error) {
	p, err := poll.New()
	if err != nil {
		return nil, err
	}
	g := &generator{Options: o, poller: p, in: make([]byte, 1<<20), payload: newPayload(o.Size), start: time.Now()}
	depth := o.Depth
	if o.Rate > 0 {
		depth = openDepth
	}
	for i := range o.Conns {
		fd, err := poll.Dial(o.Targets[i%len(o.Targets)])
		if err != nil {
			return g, err
		}
		c := newConn(fd, i, depth)
		g.conns = append(g.conns, c)
		if fd >= len(g.byFD) {
			g.byFD = append(g.byFD, make([]*conn, fd+64-len(g.byFD))...)
		}
		g.byFD[fd] = c
		if err := p.Add(fd); err != nil {
			return g, err
		}
	}
	return g, poll.PreciseTimers()
}

func (g *generator) close() {
	for _, c := range g.conns {
		c.Close()
	}
	g.poller.Close()
}

func (g *generator) now() time.Duration { return time.Since(g.start) }

func (g *generator) run() (*Result, error) {
	pace := func() (time.Duration, error) { return time.Second, nil }
	if g.Rate > 0 {
		pace = g.schedule(g.now())
	} else {
		g.refill = true
		for _, c := range g.conns {
			if err := g.send(c, g.Depth, g.now()); err != nil {
				return nil, err
			}
		}
	}
	if err := g.until(g.now()+g.Warmup, pace); err != nil {
		return nil, err
	}
	before, err := g.read()
	if err != nil {
		return nil, err
	}
	g.verified, g.windowFrom = 0, before.at
	g.latencies.Reset()
	objects, err := g.window(before.at+g.Window, pace)
	if err != nil {
		return nil, err
	}
	after, err := g.read()
	if err != nil {
		return nil, err
	}
	r := &Result{
		Objects:  objects,
		Verified: g.verified, Elapsed: after.at - before.at,
		ProxyCPU: after.proxy - before.proxy, Waited: after.waited - before.waited,
		LoadCPU: after.load - before.load, EchoCPU: after.echo - before.echo,
	}
	// What is in flight still counts for the latencies (a stall at the end
	// must show), and for "every request has its reply".
	if err := g.drain(); err != nil {
		return nil, err
	}
	q := g.latencies.Quantile
	r.P50, r.P99, r.P999, r.Max = q(0.5), q(0.99), q(0.999), g.latencies.Max()
	return r, nil
}

// window runs the load to the given time, and on until there were enough
// replies. It returns the objects that the proxy allocated meanwhile.
func (g *generator) window(end time.Duration, pace func() (time.Duration, error)) (objects int64, err error) {
	m := newMeter(g.Metrics)
	if g.Metrics != "" {
		if err := m.calibrate(); err != nil {
			return 0, fmt.Errorf("objects before the window: %w", err)
		}
	}
	const more = 100 * time.Millisecond
	for again := true; again; again = g.verified < g.Replies {
		if err := g.until(end, pace); err != nil {
			return 0, err
		}
		end = g.now() + more
	}
	if g.Metrics == "" {
		return 0, nil
	}
	if objects, err = m.since(); err != nil {
		return 0, fmt.Errorf("objects after the window: %w", err)
	}
	return objects, nil
}

func (g *generator) read() (c clocks, err error) {
	if g.Proxy != 0 {
		if c.waited, err = procstat.Waited(g.Proxy); err != nil {
			return c, err
		}
		if c.proxy, err = procstat.CPU(g.Proxy); err != nil {
			return c, err
		}
	}
	if g.Server != 0 {
		if c.echo, err = procstat.CPU(g.Server); err != nil {
			return c, err
		}
	}
	c.load, err = procstat.CPU(unix.Getpid())
	c.at = g.now()
	return c, err
}

// until handles events to the given time; pace sends what is due and says how
// long nothing else is.
func (g *generator) until(end time.Duration, pace func() (time.Duration, error)) error {
	for {
		left := end - g.now()
		if left <= 0 {
			return nil
		}
		idle, err := pace()
		if err != nil {
			return err
		}
		if err := g.turn(min(idle, left)); err != nil {
			return err
		}
	}
}

// schedule is the open loop: request k is due k intervals after from, on
// connection k modulo Conns, whatever became of the requests before it.
func (g *generator) schedule(from time.Duration) func() (time.Duration, error) {
	k := 0
	return func() (time.Duration, error) {
		for {
			due := from + time.Duration(float64(k)*float64(time.Second)/float64(g.Rate))
			if idle := due - g.now(); idle > 0 {
				return idle, nil
			}
			c := g.conns[k%len(g.conns)]
			if len(c.free) == 0 {
				return 0, fmt.Errorf("connection %d is %d replies behind", c.index, openDepth)
			}
			if err := g.send(c, 1, due); err != nil {
				return 0, err
			}
			k++
		}
	}
}

// drain waits for what is in flight; a backlog may take its time as long as it
// gets shorter.
func (g *generator) drain() error {
	g.refill = false
	left, end := g.inFlight, g.now()+drainTimeout
	for g.inFlight > 0 {
		if g.inFlight < left {
			left, end = g.inFlight, g.now()+drainTimeout
		}
		if g.now() > end {
			return fmt.Errorf("%d requests have had no reply for %v", g.inFlight, drainTimeout)
		}
		if err := g.turn(time.Second); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) turn(wait time.Duration) error {
	events, err := g.poller.Wait(wait)
	if err != nil {
		return err
	}
	for _, ev := range events {
		c := g.byFD[ev.FD]
		if ev.Writable {
			err = c.Flush(g.poller)
		}
		if err == nil && ev.Readable {
			err = g.receive(c)
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", c.index, err)
		}
	}
	return nil
}

// receive verifies what arrived and, in the closed loop, sends as many new
// requests in one write.
func (g *generator) receive(c *conn) error {
	b, err := c.Read(g.in)
	if errors.Is(err, poll.ErrAgain) {
		return nil
	}
	if err != nil {
		return err
	}
	now, replies := g.now(), 0
	g.out = g.out[:0]
	for {
		n, err := g.Wire.Size(b)
		if err != nil {
			return err
		}
		if n == 0 || n > len(b) {
			break
		}
		if !g.Wire.IsReply(b[:n]) {
			g.out, err = g.Wire.AppendAnswer(g.out, b[:n])
		} else {
			replies++
			err = g.verify(c, b[:n], now)
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	c.Keep(b)
	if g.refill {
		g.append(c, replies, now)
	}
	if len(g.out) == 0 {
		return nil
	}
	return c.Write(g.poller, g.out)
}
