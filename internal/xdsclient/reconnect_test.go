package xdsclient

import (
	"runtime"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
)

func TestReconnectResendsNothing(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"), lis("b"), routes("b", "x"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x; b: r0→x")
	p.awaitEndpoints("x", "10.0.0.1:80")
	s.await("ACKs", func() bool { return s.acks >= 4 })
	_, applied := p.config()

	s.stop()
	p.await("the loss", func() bool { return !p.Status().Connected })
	s.mu.Lock()
	s.requests, s.sent = nil, nil
	s.mu.Unlock()
	s.start()
	s.update(assignment("x", "10.0.0.2:80"), gone(listenerType, "b"))
	p.clock.Advance(p.clock.Waiting(firstRetry))
	p.awaitEndpoints("x", "10.0.0.2:80")
	p.awaitForce("a: r0→x")
	s.mu.Lock()
	if d := cmp.Diff([]string{"ClusterLoadAssignment +x", "Listener -b"}, s.sent); d != "" {
		t.Errorf("sent: %s", d)
	}
	for _, r := range s.requests[:4] {
		if len(r.InitialResourceVersions) == 0 {
			t.Errorf("no versions in %v", r)
		}
	}
	s.mu.Unlock()
	if _, n := p.config(); n != applied+1 {
		t.Errorf("applied %d times, was %d", n, applied)
	}
	// Everything again under other versions: a server that knows no versions.
	s.stop()
	p.await("the loss", func() bool { return !p.Status().Connected })
	s.mu.Lock()
	for k := range s.have {
		for _, r := range s.have[k] {
			r.Version += "'"
		}
	}
	s.mu.Unlock()
	s.start()
	p.clock.Advance(p.clock.Waiting(firstRetry))
	for _, k := range []kind{listenerType, routeType, clusterType} {
		name := map[kind]string{listenerType: "a", routeType: "a", clusterType: "x"}[k]
		p.await("the new version", func() bool { return strings.HasSuffix(p.resource(k, name).Version, "'") })
	}
	if _, n := p.config(); n != applied+1 {
		t.Errorf("a push that changes nothing was applied")
	}
}

func TestServerGoneForLong(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x")
	p.awaitEndpoints("x", "10.0.0.1:80")
	s.stop()
	p.await("the loss", func() bool { st := p.Status(); return !st.Connected && st.Error != "" })
	for _, ms := range []int{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000} {
		want := time.Duration(ms) * time.Millisecond
		if got := p.clock.Waiting(10 * time.Second); got != want {
			t.Errorf("tries again after %s, want %s", got, want)
		}
		p.clock.Advance(want)
	}
	p.clock.Waiting(10 * time.Second)
	if p.inForce() != "a: r0→x" || p.endpoints("x") != "10.0.0.1:80" {
		t.Errorf("in force %q, x has %s", p.inForce(), p.endpoints("x"))
	}
	if p.log.count("lost the control plane") != 1 || p.log.count("cannot be reached") != 0 {
		t.Errorf("log:\n%s", p.log)
	}
	s.start()
	s.update(routes("a", "y"), local("y", clusterv3.Cluster_STATIC))
	p.clock.Advance(10 * time.Second)
	p.awaitForce("a: r0→y")
	if p.log.count("msg=\"connected to") != 2 {
		t.Errorf("log:\n%s", p.log)
	}
}

func TestServerThatWasNeverThere(t *testing.T) {
	p := startProxy(t, "unix:/nonexistent/ads.sock")
	for range 5 {
		p.clock.Advance(p.clock.Waiting(10 * time.Second))
	}
	p.clock.Waiting(10 * time.Second)
	if st := p.Status(); st.Connected || st.Synced || !strings.Contains(st.Error, "nonexistent") {
		t.Errorf("status %+v", st)
	}
	if n := p.log.count("cannot be reached"); n != 1 {
		t.Errorf("%d lines:\n%s", n, p.log)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"))
	startProxy(t, s.address).awaitForce("a: r0→x")
	for name, connected := range map[string]bool{s.address: true, "unix:/nonexistent": false} {
		before := settled(runtime.NumGoroutine)
		for range 5 {
			q, end := newProxy(t, name)
			if connected {
				q.awaitForce("a: r0→x")
			} else {
				q.clock.Waiting(time.Second)
			}
			end()
			if st := q.Status(); st.Connected {
				t.Error("connected after Close")
			}
		}
		for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
			}
		}
	}
}

// settled returns a number once it has not changed for a while of other work.
func settled(n func() int) int {
	last, same := n(), 0
	for same < 10_000 {
		runtime.Gosched()
		if now := n(); now == last {
			same++
		} else {
			last, same = now, 0
		}
	}
	return last
}
