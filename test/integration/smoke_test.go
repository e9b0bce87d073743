package integration

import "testing"

// TestSmoke sends a few requests of each protocol through a proxy beside the
// client and one beside the server, and splits them by a rule.
func TestSmoke(t *testing.T) {
	for _, c := range []struct{ protocol, peer string }{{"thrift", thriftGo}, {"dubbo", dubboGo}} {
		t.Run(c.protocol, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v1, v2 := w.server(c.peer, "v1"), w.server(c.peer, "v2")
			s := service{name: "hello", protocol: c.protocol, endpoints: []endpoint{{v1.Addr, "v1"}, {v2.Addr, "v2"}}}
			w.write("hello.yaml", s.yaml())
			w.control()
			inner := w.proxy("server", []string{s.inbound(v2.Addr)})
			s.endpoints[1].addr = inner.at("hello")
			w.write("hello.yaml", s.yaml(), s.router(
				s.route("echo", "method: {exact: echo}", "v2"),
				s.routeTo("split", "", s.to("v1", 30)+", "+s.to("v2", 70))))
			outer := w.proxy("client", []string{s.outbound()})
			outer.awaitRoutes("hello", "echo", "split")

			r := w.good(c.peer, outer.at("hello"), 1000, "-connections", "4")
			if n := r.ByVersion["v1"]; n < 280 || n > 320 {
				t.Errorf("v1 has %d of 1000 requests, the rule says 30 %%", n)
			}
			w.good(c.peer, outer.at("hello"), 50, "-method", "echo", "-connections", "2")
			one, two := w.finish(v1), w.finish(v2)
			if one.ByMethod["echo"] != 0 || two.ByMethod["echo"] != 50 || one.Served+two.Served != 1050 {
				t.Errorf("the servers counted %v and %v", one, two)
			}
		})
	}
}
