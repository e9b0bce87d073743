package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// TestRoutingWeights checks that shares are exact, and the mirror: the copies
// are counted by its server, and its failure is nobody's.
func TestRoutingWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ protocol, peer string }{{"thrift", thriftGo}, {"dubbo", dubboGo}} {
		t.Run(c.protocol, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, c.protocol, c.peer)
			mirror := s.server(c.peer, "v3")
			s.endpoints = append(s.endpoints, endpoint{mirror.Addr, "v3"})
			s.write("hello.yaml", s.yaml())
			s.rules(s.routeTo("split", "method: {exact: sayHello}", s.to("v1", 25)+", "+s.to("v2", 75)))
			for range 2 {
				r := s.good(s.peer, s.at("hello"), 400, "-connections", "4")
				if v1 := r.ByVersion["v1"]; v1 < 98 || v1 > 102 {
					t.Errorf("v1 has %d of 400 requests by a weight of 25 %%", v1)
				}
			}
			s.rules(s.service.route("all", "method: {exact: sayHello}", "v1", "mirror: {host: hello.test, subset: v3}"),
				s.service.route("some", "method: {exact: echo}", "v1", "mirror: {host: hello.test, subset: v3}", "mirrorPercentage: {value: 25}"))
			s.goes("v1", 300, "-connections", "3")
			s.good(s.peer, s.at("hello"), 1000, "-method", "echo", "-connections", "4")
			s.world.until(patience, func() error {
				// All copies that were sent are answered or failed before the server stops.
				if n := s.metric("aeraki_requests_in_flight"); n != 0 {
					return fmt.Errorf("%v requests in flight", n)
				}
				return nil
			})
			sent := s.event("mirror_sent")
			got := s.finish(mirror)
			if got.ByMethod["sayHello"] != 300 || got.ByMethod["echo"] < 200 || got.ByMethod["echo"] > 300 || int(sent) != got.Served {
				t.Errorf("of 300 and a quarter of 1000 copies, %v sent, the mirror counted %v", sent, got.ByMethod)
			}
			s.goes("v1", 300, "-connections", "3")
			if n := s.event("mirror_failed"); n == 0 {
				t.Error("no copy failed though the mirror is gone")
			}
		})
	}
}

// TestRoutingBalance checks ring hash on an attachment and on the source, and
// that least request spares the slower server.
func TestRoutingBalance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quick, slow := w.server(dubboGo, "v1"), w.server(dubboGo, "v2", "-delay", "40ms")
	endpoints := []endpoint{{quick.Addr, "v1"}, {slow.Addr, "v2"}}
	ring := service{name: "ring", protocol: "dubbo", endpoints: endpoints, policy: "{loadBalancer: {consistentHash: {httpHeaderName: user}}}"}
	source := service{name: "source", protocol: "dubbo", endpoints: endpoints, policy: "{loadBalancer: {consistentHash: {useSourceIp: true}}}"}
	least := service{name: "least", protocol: "dubbo", endpoints: endpoints, policy: "{loadBalancer: {simple: LEAST_REQUEST}}"}
	robin := service{name: "robin", protocol: "dubbo", endpoints: endpoints, policy: "{loadBalancer: {simple: ROUND_ROBIN}}"}
	policy := "hashPolicy: [{attribute: user}]"
	w.write("services.yaml", ring.yaml(), source.yaml(), least.yaml(), robin.yaml(), ring.router(ring.route("all", "", "", policy)))
	w.control()
	p := w.proxy("clients", []string{ring.outbound(), source.outbound(), least.outbound(), robin.outbound()})

	seen := map[string]int{}
	for i := range 10 {
		r := w.good(dubboGo, p.at("ring"), 6, "-attachment", fmt.Sprint("user=user-", i))
		if len(r.ByVersion) != 1 {
			t.Errorf("requests of one user went to %v", r.ByVersion)
		}
		for v := range r.ByVersion {
			seen[v]++
		}
	}
	if len(seen) != 2 {
		t.Errorf("all users went to %v", seen)
	}
	if r := w.good(dubboGo, p.at("source"), 40, "-connections", "4"); len(r.ByVersion) != 1 {
		t.Errorf("requests of one address went to %v", r.ByVersion)
	}
	if r := w.good(dubboGo, p.at("robin"), 200, "-concurrency", "8"); r.ByVersion["v1"] != 100 {
		t.Errorf("round robin: %v", r.ByVersion)
	}
	if r := w.good(dubboGo, p.at("least"), 1000, "-concurrency", "8"); r.ByVersion["v1"] < 650 {
		t.Errorf("least request: the quick server has %d of 1000", r.ByVersion["v1"])
	}
}

// TestRoutingGateway serves a service at a gateway's port, by the rules for
// that gateway.
func TestRoutingGateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v1, v2 := w.server(thriftGo, "v1"), w.server(thriftGo, "v2")
	s := service{name: "hello", protocol: "thrift", endpoints: []endpoint{{v1.Addr, "v1"}, {v2.Addr, "v2"}}}
	router := strings.Replace(s.router(s.route("edge", "", "v2")), "  routes:", "  gateways: [edge/ingress]\n  routes:", 1)
	w.write("hello.yaml", s.yaml(), router)
	w.control()
	gateway := fmt.Sprintf("{name: hello, bind: \"127.0.0.1:0\", gateway: {name: edge/ingress, port: %d}}", port)
	edge := w.proxy("gateway", []string{gateway}, func(c *harness.ProxyConfig) { c.Namespace = "edge" })
	if r := w.good(thriftGo, edge.at("hello"), 40, "-connections", "2"); r.ByVersion["v2"] != 40 {
		t.Errorf("the gateway's rule sends to %v", r.ByVersion)
	}
	// Clients' own proxies are not under the gateway's rules.
	inner := w.proxy("clients", []string{s.outbound()})
	if r := w.good(thriftGo, inner.at("hello"), 100, "-connections", "2"); len(r.ByVersion) != 2 {
		t.Errorf("the default route sends to %v", r.ByVersion)
	}
}

// TestRoutingDNS resolves a service's endpoints by name.
func TestRoutingDNS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.server(dubboGo, "v1")
	_, number, err := net.SplitHostPort(first.Addr)
	w.check(err)
	addresses, err := net.LookupHost("localhost")
	w.check(err)
	for _, a := range addresses {
		if !strings.HasPrefix(a, "127.") { // on most machines there is one of IPv6 too
			w.server(dubboGo, "v1", "-listen", net.JoinHostPort(a, number))
		}
	}
	s := service{name: "hello", protocol: "dubbo", resolution: "DNS", endpoints: []endpoint{{"localhost:" + number, "v1"}}}
	w.write("hello.yaml", s.yaml(), s.router(s.route("named", "", "v1")))
	w.control()
	p := w.proxy("clients", []string{s.outbound()})
	w.good(dubboGo, p.at("hello"), 100)
}
