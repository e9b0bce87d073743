package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/cluster/clock/clocktest"
	"github.com/aeraki-mesh/aeraki/internal/cluster/dns"
	"github.com/aeraki-mesh/aeraki/internal/cluster/dns/dnstest"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

func newDirectory(t *testing.T, o Options) *Directory {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Random == nil {
		o.Random = func() float64 { return 0 }
	}
	d := New(o)
	t.Cleanup(d.Close)
	return d
}

func eps(text ...string) []Endpoint {
	var out []Endpoint
	for _, s := range text {
		a, w, _ := strings.Cut(s, "*")
		e := Endpoint{Addr: netip.MustParseAddrPort(a), Weight: 1}
		if w != "" {
			fmt.Sscan(w, &e.Weight)
		}
		out = append(out, e)
	}
	return out
}

// show renders what a cluster has: "10.0.0.1:80*1 …".
func show(s *engine.EndpointSet) string {
	var out []string
	for _, e := range s.Endpoints {
		out = append(out, fmt.Sprintf("%s*%d", e.Addr, e.Weight))
	}
	return strings.Join(out, " ")
}

func TestClusterIsTheSameValueForEver(t *testing.T) {
	d := newDirectory(t, Options{})
	c := d.Cluster("a")
	if c.Endpoints().Known || d.Ready("a") {
		t.Error("a cluster that nobody Set is known")
	}
	d.Set("a", Spec{})
	if c.Endpoints().Known {
		t.Error("known before its first endpoints")
	}
	d.Assign("a", nil)
	if !c.Endpoints().Known || !d.Ready("a") {
		t.Error("not known though it was assigned no endpoints")
	}
	<-d.BecameReady()
	d.Remove("a")
	if c.Endpoints().Known {
		t.Error("known after Remove")
	}
	d.Assign("a", eps("10.0.0.1:80"))
	if c.Endpoints().Known {
		t.Error("Assign brought back a cluster that was removed")
	}
	d.Set("a", Spec{})
	d.Assign("a", eps("10.0.0.1:80"))
	if d.Cluster("a") != c || show(c.Endpoints()) != "10.0.0.1:80*1" {
		t.Errorf("has %s", show(c.Endpoints()))
	}
}

func TestEndpointsKeepTheirIdentity(t *testing.T) {
	d := newDirectory(t, Options{})
	d.Set("a", Spec{ConnectTimeout: time.Second})
	d.Assign("a", eps("10.0.0.2:80", "10.0.0.1:80", "10.0.0.3:80*2", "10.0.0.3:80"))
	c := d.Cluster("a")
	first := c.Endpoints()
	if show(first) != "10.0.0.1:80*1 10.0.0.2:80*1 10.0.0.3:80*3" || first.ConnectTimeout != time.Second {
		t.Fatalf("has %s", show(first))
	}
	d.Assign("a", eps("10.0.0.1:80", "10.0.0.2:80*5", "10.0.0.4:80"))
	second := c.Endpoints()
	if first.Endpoints[0] != second.Endpoints[0] {
		t.Error("10.0.0.1 is another value")
	}
	if show(second) != "10.0.0.1:80*1 10.0.0.2:80*5 10.0.0.4:80*1" {
		t.Errorf("has %s", show(second))
	}
	for i, gone := range []bool{false, true, true} {
		if got := first.Endpoints[i].Gone.Load(); got != gone {
			t.Errorf("%s: gone is %t", first.Endpoints[i].Addr, got)
		}
	}
	d.Assign("a", eps("10.0.0.4:80", "10.0.0.2:80*5", "10.0.0.1:80"))
	if c.Endpoints() != second {
		t.Error("an update that changes nothing made another set")
	}
	d.Set("a", Spec{Policy: engine.Random, ConnectTimeout: time.Second})
	if third := c.Endpoints(); third == second || third.Policy != engine.Random || third.Endpoints[0] != second.Endpoints[0] {
		t.Error("another policy changed more, or nothing")
	}
	d.Assign("a", nil)
	if len(c.Endpoints().Endpoints) != 0 || !c.Endpoints().Known {
		t.Error("no endpoints is not obeyed")
	}
}

func TestRingIsBuiltWhereItIsAskedFor(t *testing.T) {
	d := newDirectory(t, Options{})
	d.Set("a", Spec{})
	d.Assign("a", eps("10.0.0.1:80", "10.0.0.2:80"))
	c := d.Cluster("a")
	if c.Endpoints().Ring != nil {
		t.Error("round robin has a ring")
	}
	d.Set("a", Spec{Policy: engine.RingHash})
	if n := len(c.Endpoints().Ring); n != 1024 {
		t.Errorf("%d points", n)
	}
	d.Set("a", Spec{Policy: engine.RingHash, MinRing: 4096})
	if n := len(c.Endpoints().Ring); n != 4096 {
		t.Errorf("%d points after the size changed", n)
	}
	ring := c.Endpoints().Ring
	d.Set("a", Spec{Policy: engine.RingHash, MinRing: 4096, ConnectTimeout: time.Second})
	if &ring[0] != &c.Endpoints().Ring[0] {
		t.Error("the ring was built again for another connect timeout")
	}
}

// waitFor waits until the cluster has these endpoints.
func waitFor(t *testing.T, c engine.Cluster, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); show(c.Endpoints()) != want || !c.Endpoints().Known; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("has %q, want %q", show(c.Endpoints()), want)
		}
	}
}

func TestNamesAreResolvedAgainByTTL(t *testing.T) {
	s, clk := dnstest.Start(t), clocktest.New()
	d := newDirectory(t, Options{Clock: clk, Resolver: dns.New(dns.Options{Servers: []netip.AddrPort{s.Addr}})})
	s.Set(t, "a.test.", "a.test. 30 IN A 10.0.0.1", "a.test. 30 IN A 10.0.0.2")
	c := d.Cluster("a")
	d.Set("a", Spec{Hosts: []Host{{"a.test.", 80, 2}, {"10.9.9.9", 81, 1}, {"localhost", 82, 1}}, Family: dns.Only4})
	<-d.BecameReady()
	const fixed = "10.9.9.9:81*1 127.0.0.1:82*1"
	waitFor(t, c, "10.0.0.1:80*2 10.0.0.2:80*2 "+fixed)
	kept := c.Endpoints().Endpoints[1]

	s.Set(t, "a.test.", "a.test. 5 IN A 10.0.0.2", "a.test. 5 IN A 10.0.0.3")
	clk.Waiting(30 * time.Second)
	clk.Advance(30*time.Second - 1)
	if asked := len(s.Asked()); asked != 1 {
		t.Errorf("asked %d times before the TTL was over", asked)
	}
	clk.Advance(1)
	waitFor(t, c, "10.0.0.2:80*2 10.0.0.3:80*2 "+fixed)
	if c.Endpoints().Endpoints[0] != kept {
		t.Error("10.0.0.2 is another value")
	}
	clk.Waiting(5 * time.Second)

	d.Set("a", Spec{Hosts: []Host{{"a.test.", 90, 1}}, Family: dns.Only4})
	if got := show(c.Endpoints()); got != "10.0.0.2:90*1 10.0.0.3:90*1" {
		t.Errorf("after the port changed: %s", got)
	}
}

func TestLastGoodIsKeptWhileNamesDoNotResolve(t *testing.T) {
	s, clk := dnstest.Start(t), clocktest.New()
	var log lines
	d := newDirectory(t, Options{Clock: clk, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Resolver: dns.New(dns.Options{Servers: []netip.AddrPort{s.Addr}})})
	s.Set(t, "a.test.", "a.test. 10 IN A 10.0.0.1")
	c := d.Cluster("a")
	d.Set("a", Spec{Hosts: []Host{{"a.test.", 80, 1}}, Family: dns.Only4})
	waitFor(t, c, "10.0.0.1:80*1")

	s.Break(true)
	clk.Advance(clk.Waiting(10 * time.Second))
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := clk.Waiting(time.Minute); got != wait*time.Second {
			t.Errorf("retries after %s, want %d s", got, wait)
		}
		clk.Advance(wait * time.Second)
	}
	waitFor(t, c, "10.0.0.1:80*1")
	clk.Waiting(time.Minute)
	if n := d.DNSFailures(); n != 8 {
		t.Errorf("%d failures counted", n)
	}
	if st := d.Status(); len(st) != 1 || st[0].DNS[0].Failures != 8 || !strings.Contains(st[0].DNS[0].Error, "SERVFAIL") {
		t.Errorf("status %+v", st)
	}
	s.Break(false)
	s.Set(t, "a.test.", "a.test. 10 IN A 10.0.0.2")
	clk.Advance(30 * time.Second)
	waitFor(t, c, "10.0.0.2:80*1")
	if got := log.count("does not resolve"); got != 1 {
		t.Errorf("%d lines about the failure", got)
	}
	if got := log.count("resolves again"); got != 1 {
		t.Errorf("%d lines about the recovery", got)
	}
}

func TestNameThatIsGoneIsBelievedTheThirdTime(t *testing.T) {
	s, clk := dnstest.Start(t), clocktest.New()
	d := newDirectory(t, Options{Clock: clk, Resolver: dns.New(dns.Options{Servers: []netip.AddrPort{s.Addr}})})
	s.Set(t, "a.test.", "a.test. 10 IN A 10.0.0.1")
	c := d.Cluster("a")
	d.Set("a", Spec{Hosts: []Host{{"a.test.", 80, 1}}, Family: dns.Only4})
	waitFor(t, c, "10.0.0.1:80*1")
	s.Set(t, "a.test.")
	clk.Advance(clk.Waiting(10 * time.Second))
	clk.Advance(clk.Waiting(time.Second))
	clk.Waiting(2 * time.Second)
	if got := show(c.Endpoints()); got != "10.0.0.1:80*1" {
		t.Errorf("after two answers that it is gone: %q", got)
	}
	clk.Advance(2 * time.Second)
	waitFor(t, c, "")
	if got := clk.Waiting(time.Minute); got != 7*time.Second {
		t.Errorf("asks again after %s, want the SOA's minimum", got)
	}
}

func TestNameThatNeverWasIsAnAnswerAndAFailureIsNot(t *testing.T) {
	s, clk := dnstest.Start(t), clocktest.New()
	d := newDirectory(t, Options{Clock: clk, Resolver: dns.New(dns.Options{Servers: []netip.AddrPort{s.Addr}})})
	d.Set("none", Spec{Hosts: []Host{{"none.test.", 80, 1}}})
	<-d.BecameReady()
	s.Break(true)
	clk.Waiting(7 * time.Second)
	d.Set("broken", Spec{Hosts: []Host{{"broken.test.", 80, 1}}})
	clk.Waiting(time.Second)
	if d.Ready("broken") {
		t.Error("ready without an answer")
	}
}

func TestChangeOfNamesKeepsEndpointsUntilTheAnswer(t *testing.T) {
	gate, clk := make(chan struct{}), clocktest.New()
	d := newDirectory(t, Options{Clock: clk, Resolver: resolver(func(ctx context.Context, name string) (dns.Answer, error) {
		if name == "slow" {
			<-gate
		}
		return dns.Answer{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, TTL: time.Minute}, nil
	})})
	c := d.Cluster("a")
	d.Set("a", Spec{})
	d.Assign("a", eps("10.0.0.1:80"))
	d.Set("a", Spec{Hosts: []Host{{"fast", 80, 1}, {"slow", 81, 1}}})
	d.Assign("a", eps("10.0.0.9:80"))
	clk.Waiting(time.Minute) // fast has its answer
	if got := show(c.Endpoints()); got != "10.0.0.1:80*1" {
		t.Errorf("before the answer: %s", got)
	}
	close(gate)
	waitFor(t, c, "10.0.0.2:80*1 10.0.0.2:81*1")
}

func TestGoroutinesEndWithTheirClusters(t *testing.T) {
	clk := clocktest.New()
	d := newDirectory(t, Options{Clock: clk, Resolver: resolver(func(ctx context.Context, name string) (dns.Answer, error) {
		if name == "hangs" {
			<-ctx.Done()
			return dns.Answer{}, ctx.Err()
		}
		return dns.Answer{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, TTL: time.Minute}, nil
	})})
	before := runtime.NumGoroutine()
	for i := range 20 {
		d.Set(fmt.Sprint(i), Spec{Hosts: []Host{{"hangs", 80, 1}, {"works", 80, 1}}})
	}
	clk.Waiting(time.Minute)
	for i := range 20 {
		d.Remove(fmt.Sprint(i))
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before || clk.Timers() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before; %d timers", runtime.NumGoroutine(), before, clk.Timers())
		}
	}
	d.Set("x", Spec{Hosts: []Host{{"hangs", 80, 1}}})
	d.Close() // waits
}

func TestUpdatesAndReadersDoNotMeet(t *testing.T) {
	d := newDirectory(t, Options{Clock: clocktest.New(), Resolver: resolver(func(ctx context.Context, name string) (dns.Answer, error) {
		return dns.Answer{}, errors.New("no server")
	})})
	c := d.Cluster("a")
	d.Set("a", Spec{Policy: engine.RingHash})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				d.Assign("a", eps("10.0.0.1:80", fmt.Sprintf("10.0.%d.%d:80", i, n)))
			}
		})
		wg.Go(func() {
			for range 2000 {
				s := c.Endpoints()
				for _, p := range s.Ring {
					s.Endpoints[p.Endpoint].Active.Add(1)
					break
				}
				d.Status()
			}
		})
	}
	wg.Wait()
	if got := c.Endpoints().Endpoints; len(got) != 2 || got[0].Addr.String() != "10.0.0.1:80" {
		t.Errorf("ends with %s", show(c.Endpoints()))
	}
}

type resolver func(ctx context.Context, name string) (dns.Answer, error)

func (r resolver) Lookup(ctx context.Context, name string, _ dns.Family) (dns.Answer, error) {
	return r(ctx, name)
}

// lines is a log that tests search.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.all {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}
