package run

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/load"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
)

// Bench is one run. All fields are set before Run.
type Bench struct {
	Cases   []Case
	Proxies []proxy.Proxy
	Rounds  int
	Window  time.Duration // measured per case, proxy and round
	Warmup  time.Duration
	Idle    int // connections of the idle case

	ProxyCore, LoadCore int
	Self                string    // this program, to start generator and server
	Log                 io.Writer // progress
}

// Sample is what one proxy did in one round of one case.
type Sample struct {
	Err  error // the measurement failed; nothing else is set
	Load load.Result
	RSS  int64 // bytes, right after the load; 0 without a proxy
	Idle Memory
}

// Memory is the resident memory of a proxy in bytes.
type Memory struct {
	Conns             int
	Fresh, Open, Used int64 // no connection; Conns idle ones; the same after one request each
}

// Result is one case: per round, the samples by proxy name.
type Result struct {
	Case   Case
	Names  []string // proxies in the table's order
	Rounds []map[string]Sample
}

// Run measures every case. Within a round each proxy has its turn, so that
// slow drift of the machine touches all alike and a ratio compares neighbours
// in time; the order rotates from round to round. The caller must have locked
// its OS thread (proxy.StartPinned). Only an ended ctx is an error here.
func (b *Bench) Run(ctx context.Context) ([]Result, error) {
	var results []Result
	for _, c := range b.Cases {
		r := Result{Case: c}
		var proxies []proxy.Proxy
		for _, p := range b.Proxies {
			if p.Carries(c.Wire) && (p.Start != nil || !c.Idle) && (p.Go || !c.Heap) {
				proxies = append(proxies, p)
				r.Names = append(r.Names, p.Name)
			}
		}
		for round := range b.Rounds {
			samples := map[string]Sample{}
			for i := range proxies {
				p := proxies[(i+round)%len(proxies)]
				s := b.sample(ctx, c, p)
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				samples[p.Name] = s
				fmt.Fprintf(b.Log, "%-18s %d/%d %-14s %s\n", c.Name, round+1, b.Rounds, p.Name, s.line(c))
			}
			r.Rounds = append(r.Rounds, samples)
		}
		results = append(results, r)
	}
	return results, nil
}

func (s *Sample) line(c Case) string {
	switch {
	case s.Err != nil:
		return "FAILED: " + s.Err.Error()
	case c.Idle:
		return fmt.Sprintf("%.1f MB fresh, %.1f with %d connections, %.1f after a request on each",
			mb(s.Idle.Fresh), mb(s.Idle.Open), s.Idle.Conns, mb(s.Idle.Used))
	case c.Heap:
		return fmt.Sprintf("%d heap objects, %d replies", s.Load.Objects, s.Load.Verified)
	}
	return fmt.Sprintf("%6.2f µs CPU, %7.0f replies/s, p99 %v", s.CPU(), s.Rate(), s.Load.P99.Round(time.Microsecond))
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// CPU is the proxy's CPU time per verified reply in microseconds.
func (s *Sample) CPU() float64 {
	return float64(s.Load.ProxyCPU.Nanoseconds()) / 1000 / float64(s.Load.Verified)
}

// Rate is verified replies per second.
func (s *Sample) Rate() float64 { return float64(s.Load.Verified) / s.Load.Elapsed.Seconds() }

// sample starts everything anew, so that no measurement inherits another's
// heap, connections or learnt batch sizes.
func (b *Bench) sample(ctx context.Context, c Case, p proxy.Proxy) Sample {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Window+b.Warmup+time.Minute, fmt.Errorf("no result within a minute of the window's end"))
	defer cancel()
	dir, err := os.MkdirTemp("", "aeraki-bench-")
	if err != nil {
		return Sample{Err: err}
	}
	defer os.RemoveAll(dir)
	s, err := b.stage(ctx, c, p, dir)
	if err != nil {
		return Sample{Err: fmt.Errorf("%s, %s: %w", c.Name, p.Name, err)}
	}
	return s
}

func (b *Bench) stage(ctx context.Context, c Case, p proxy.Proxy, dir string) (Sample, error) {
	server, targets, err := b.startServer(ctx, c.Wire)
	if err != nil {
		return Sample{}, fmt.Errorf("echo server: %w", err)
	}
	defer server.Stop()
	var proc *proxy.Process
	if p.Start != nil {
		listen, err := proxy.FreePort(os.Getpid())
		if err != nil {
			return Sample{}, err
		}
		proc, err = p.Start(ctx, proxy.Setup{Wire: c.Wire, Listen: listen, Upstreams: targets, Core: b.ProxyCore, HelperCore: b.LoadCore, Dir: dir})
		if err != nil {
			return Sample{}, err
		}
		defer proc.Stop()
		if err := answers(ctx, c.Wire, listen, proc); err != nil {
			return Sample{}, err
		}
		targets = []string{listen}
	}
	if c.Idle {
		m, err := b.idle(ctx, c, targets[0], proc.PID)
		return Sample{Idle: m}, err
	}
	sample, err := b.load(ctx, c, targets, proc, server)
	if err != nil && proc != nil {
		return Sample{}, fmt.Errorf("%w; the proxy %s", err, proc.State())
	}
	if err != nil {
		return Sample{}, err
	}
	return sample, served(ctx, c, server)
}
