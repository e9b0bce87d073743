package integration

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// TestDrain ends a proxy by SIGTERM, or by its admin endpoint, while requests
// are in flight: they are answered, and the process ends with 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		protocol, peer string
		flags          []string
		drain          func(*proxy) error
	}{
		{"thrift", thriftGo, []string{"-millis", "1500", "-connections", "4"}, func(p *proxy) error { return p.Signal(syscall.SIGTERM) }},
		{"dubbo", dubboGo, []string{"-number", "1500", "-concurrency", "4"}, func(p *proxy) error { return post(p, "/drain") }},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := w.server(c.peer, "v1")
			s := service{name: "hello", protocol: c.protocol, endpoints: []endpoint{{server.Addr, ""}}}
			w.write("hello.yaml", s.yaml())
			w.control()
			p := w.proxy("clients", []string{s.outbound()}, func(c *harness.ProxyConfig) { c.Drain = "15s" })
			address := p.at("hello")
			client, err := w.Start("client", w.binary(c.peer), append([]string{"client", "-target", address, "-method", "slow", "-n", "4"}, c.flags...)...)
			w.check(err)
			w.until(20*time.Second, func() error {
				if n := p.metric("aeraki_requests_in_flight"); n != 4 {
					return fmt.Errorf("%v requests in flight, not 4", n)
				}
				return nil
			})
			w.check(c.drain(p))
			w.until(5*time.Second, func() error {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return nil
				}
				conn.Close()
				return fmt.Errorf("a draining proxy accepts at %s", address)
			})
			r, err := client.Report(w.ctx)
			w.check(err)
			w.allGood(r, 4)
			w.check(p.Wait(w.ctx)) // an error if the exit code is not 0
		})
	}
}

// TestDrainIsBounded ends a proxy whose client waits for a reply that does not
// come: after drainTimeout the process is gone.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(thriftGo, "v1", "-drain", "0s")
	s := service{name: "hello", protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	p := w.proxy("clients", []string{s.outbound()}, func(c *harness.ProxyConfig) { c.Drain = "1s" })
	client, err := w.Start("client", w.binary(thriftGo), "client", "-target", p.at("hello"), "-method", "slow", "-millis", "15000", "-timeout", "20s")
	w.check(err)
	w.until(20*time.Second, func() error {
		if n := p.metric("aeraki_requests_in_flight"); n != 1 {
			return fmt.Errorf("%v requests in flight", n)
		}
		return nil
	})
	began := time.Now()
	w.check(p.Signal(syscall.SIGTERM))
	w.check(p.Wait(w.ctx))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the proxy ended after %v, its bound is 1 s", took)
	}
	r, err := client.Report(w.ctx)
	w.check(err)
	if r.Failed() != 1 {
		t.Errorf("the client says %+v", r)
	}
}

// TestDrainTellsDubboClients checks the bytes that a Dubbo client gets when
// the proxy drains: READONLY, an event without an answer, then the end.
func TestDrainTellsDubboClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{"127.0.0.1:1", ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	p := w.proxy("clients", []string{s.outbound()}, func(c *harness.ProxyConfig) { c.Drain = "20s" })
	conn, err := net.Dial("tcp", p.at("hello"))
	w.check(err)
	defer conn.Close()
	w.check(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	// A heartbeat: two-way event, serialization 2, id 1, body null.
	_, err = conn.Write([]byte{0xda, 0xbb, 0xe2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 'N'})
	w.check(err)
	reply := make([]byte, 17)
	_, err = io.ReadFull(conn, reply)
	w.check(err)
	if want := []byte{0xda, 0xbb, 0x22, 20, 0, 0, 0, 0, 0, 0, 0, 1}; !bytes.HasPrefix(reply, want) {
		t.Fatalf("a heartbeat is answered with % x, not % x", reply, want)
	}
	w.check(p.Signal(syscall.SIGTERM))
	event := make([]byte, 18)
	_, err = io.ReadFull(conn, event)
	w.check(err)
	// One-way event, body "R".
	if event[0] != 0xda || event[1] != 0xbb || event[2]&0xe0 != 0xa0 || event[16] != 1 || event[17] != 'R' {
		t.Errorf("a draining proxy says % x, not READONLY", event)
	}
	conn.Close() // as asked
	w.check(p.Wait(w.ctx))
}

// TestThriftQueuesNoStrangers has 64 clients call one apache/thrift server,
// which needs 20 ms, directly and through the proxy: requests of different
// clients must not wait for each other. One run in five must reach nine tenths
// of the direct throughput, because the machine may do other things.
func TestThriftQueuesNoStrangers(t *testing.T) {
	w := newWorld(t)
	server := w.server(thriftGo, "v1", "-delay", "20ms")
	s := service{name: "hello", protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	p := w.proxy("clients", []string{s.outbound()})
	var ratios []float64
	for range 5 {
		direct := w.good(thriftGo, server.Addr, 6400, "-connections", "64")
		through := w.good(thriftGo, p.at("hello"), 6400, "-connections", "64")
		ratios = append(ratios, through.RPS/direct.RPS)
		t.Logf("direct %.0f/s, through the proxy %.0f/s", direct.RPS, through.RPS)
		if through.RPS >= 0.9*direct.RPS {
			return
		}
	}
	t.Errorf("throughput over the direct one: %.2f, never 0.9", ratios)
}
