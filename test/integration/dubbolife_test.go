package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// TestDubboHeartbeats leaves connections idle for several heartbeat intervals
// of both ends: neither end may take the proxy for dead and connect anew.
func TestDubboHeartbeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var services []service
	var listeners []string
	for i, peer := range []string{java27, java33} {
		server := w.server(peer, "v1", "-heartbeat", "1s")
		s := service{name: fmt.Sprint("s", i), protocol: "dubbo", endpoints: []endpoint{{server.Addr, ""}}}
		w.write(s.name+".yaml", s.yaml())
		services, listeners = append(services, s), append(listeners, s.outbound())
	}
	w.control()
	p := w.proxy("clients", listeners)
	var clients []*harness.Process
	for i, peer := range []string{java27, java33, dubboGo} {
		c, err := w.Start("client", w.binary(peer), "client", "-target", p.at(services[i%2].name), "-heartbeat", "1s", "-n", "3", "-rate", "0.2")
		w.check(err)
		clients = append(clients, c)
	}
	for _, c := range clients {
		r, err := c.Report(w.ctx)
		w.check(err)
		w.allGood(r, 3)
	}
	// Each client connects once to see whether the server is there, once to stay.
	if n := p.metric("aeraki_client_connections_total"); n != 6 {
		t.Errorf("clients made %v connections, not 6: %s", n, p.Log(20))
	}
	p.spotless(t)
}

// TestDubboCallTimeout checks that the time-out that a consumer sends along
// ends the request at the proxy too, and that the consumer sees a time-out.
func TestDubboCallTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(java33, "v1")
	s := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	p := w.proxy("clients", []string{s.outbound()})
	ended := 0
	for _, peer := range []string{java27, dubboGo, java33} {
		r := w.client(peer, p.at("hello"), "-n", "2", "-method", "slow", "-number", "2500", "-timeout", "700ms")
		for text := range r.Errors {
			// The words of the client's own clock, or of a reply with the status of one.
			if !strings.Contains(strings.ToLower(text), "timeout") && !strings.Contains(text, "did not reply in time") {
				t.Errorf("%s says %q", peer, text)
			}
		}
		if r.Failed() != 2 {
			t.Errorf("%s: %+v", peer, r)
		}
		w.good(peer, p.at("hello"), 2, "-method", "slow", "-number", "900", "-timeout", "5s")
		if peer == java27 {
			continue // it does not send its time-out along
		}
		// Whose clock is first is open: a client that gives up and leaves is not
		// timed out but gone. No request may wait for its reply.
		ended += 2
		n := p.metric("aeraki_route_requests_total", `response_flags="UT"`) + p.metric("aeraki_route_requests_total", `response_flags="DC"`)
		if int(n) < ended {
			t.Errorf("%s: %v requests have ended before their reply came, not %d", peer, n, ended)
		}
	}
	if p.metric("aeraki_route_requests_total", `response_flags="UT"`) == 0 {
		t.Error("none has timed out at the proxy")
	}
}

// TestDubboProviderLeaves stops one of two Java providers under load. It asks
// its clients to go (READONLY) and waits for them; the proxy is its client.
func TestDubboProviderLeaves(t *testing.T) {
	t.Parallel()
	for _, version := range []string{java27, java33} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t)
			leaving, staying := w.server(version, "v1"), w.server(version, "v2")
			s := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{leaving.Addr, "v1"}, {staying.Addr, "v2"}}}
			w.write("hello.yaml", s.yaml())
			w.control()
			p := w.proxy("clients", []string{s.outbound()})
			load := w.steady(dubboGo, p.at("hello"), "-concurrency", "4", "-rate", "400").warm()
			alone := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{staying.Addr, "v2"}}}
			// As an orchestrator does: the endpoint goes, then the process.
			w.write("hello.yaml", alone.yaml())
			w.check(leaving.Signal(syscall.SIGTERM))
			<-leaving.Done()
			w.good(dubboGo, p.at("hello"), 100)
			r := load.report()
			for text, n := range r.Errors {
				// Dubbo 2.7 takes its services back before it tells its clients to go, so
				// these get such replies without a proxy too.
				if version != java27 || !strings.Contains(text, "Not found exported service") {
					t.Errorf("%d × %s", n, text)
				}
			}
			if r.Wrong != 0 || r.OK < 200 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestDubboProxyLeaves stops one of the two proxies that a Java consumer knows
// from its registry, under load: told by READONLY, it goes on with the other.
func TestDubboProxyLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(dubboGo, "v1")
	s := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	one, other := w.proxy("one", []string{s.outbound()}), w.proxy("other", []string{s.outbound()})
	registry := t.TempDir()
	for _, p := range []*proxy{one, other} {
		// What a provider of 3.3 writes, as far as consumers read it.
		_, port, _ := strings.Cut(p.at("hello"), ":")
		url := fmt.Sprintf("dubbo://2130706433:%s/org.aeraki.samples.HelloService?dubbo=2.0.2&interface=org.aeraki.samples.HelloService&side=provider&timestamp=1\n", port)
		w.check(os.WriteFile(filepath.Join(registry, p.Name+".provider"), []byte(url), 0o644))
	}
	load := w.consumer(java33, registry)
	load.warm()
	w.check(one.Signal(syscall.SIGTERM))
	w.check(one.Wait(w.ctx))
	before := other.metric("aeraki_route_requests_total")
	w.until(patience, func() error {
		if n := other.metric("aeraki_route_requests_total"); n < before+200 {
			return fmt.Errorf("the other proxy had %v requests, then %v", before, n)
		}
		return nil
	})
	load.good()
}

// consumer starts a steady Java consumer that goes by a registry.
func (w *world) consumer(version, registry string) *steady {
	w.t.Helper()
	p, err := w.Start("steady", w.binary(version), "client", "-registry", registry, "-n", "0", "-stats", "100ms", "-concurrency", "4", "-rate", "200")
	w.check(err)
	return &steady{Process: p, w: w}
}
