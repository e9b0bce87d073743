package xdsclient

import (
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

func TestAllOfAConfigurationArrives(t *testing.T) {
	s := startServer(t)
	s.update(
		lis("out", func(l *listenerv3.Listener, m *proxyv1.MetaProtocol) {
			l.Address = address("127.0.0.1", 9090)
			m.Destination = &proxyv1.Destination{Host: "h.demo.svc", Name: "h", Namespace: "demo"}
			m.Limits = &proxyv1.Limits{MaxMessageBytes: 1 << 20, MaxProperties: 2, MaxConnections: 3, MaxRequestsPerConnection: 4, MaxRequests: 5}
			m.Sharing = proxyv1.Sharing_SHARED
			m.IdleTimeout = durationpb.New(time.Minute)
		}),
		lis("in", func(l *listenerv3.Listener, m *proxyv1.MetaProtocol) {
			l.TrafficDirection = corev3.TrafficDirection_INBOUND
		}),
		routes("out", "eds", "dns"), routes("in", "static"),
		eds("eds", func(c *clusterv3.Cluster) {
			c.LbPolicy = clusterv3.Cluster_RING_HASH
			c.EdsClusterConfig.ServiceName = "service"
		}),
		local("static", clusterv3.Cluster_STATIC, "10.0.0.3:80"),
		local("dns", clusterv3.Cluster_STRICT_DNS, "localhost:81"),
		local("unused", clusterv3.Cluster_STATIC, "10.0.0.9:80"),
		assignment("service", "10.0.0.2:80", "10.0.0.1:80"),
	)
	p := startProxy(t, s.address)
	p.awaitForce("in: r0→static; out: r0→eds r1→dns")
	c, n := p.config()
	out := c.Listeners[1]
	want := engine.DefaultLimits()
	want.Codec.Message, want.Codec.Properties, want.Connections, want.RequestsPerConnection, want.Requests = 1<<20, 2, 3, 4, 5
	if out.Address.String() != "127.0.0.1:9090" || out.Inbound || out.Protocol != (toy{}) || out.Sharing != engine.SharedByID ||
		out.IdleTimeout != time.Minute || out.Limits != want || out.Destination != (engine.Destination{Host: "h.demo.svc", Name: "h", Namespace: "demo"}) {
		t.Errorf("listener is %+v", out)
	}
	if in := c.Listeners[0]; !in.Inbound || in.Limits != engine.DefaultLimits() || in.Sharing != engine.AsProtocol {
		t.Errorf("listener is %+v", in)
	}
	if n > 2 || len(c.Version) != 24 {
		t.Errorf("applied %d times, version %q", n, c.Version)
	}
	p.awaitEndpoints("eds", "10.0.0.1:80 10.0.0.2:80")
	p.awaitEndpoints("dns", "127.0.0.1:81")
	p.awaitEndpoints("static", "10.0.0.3:80")
	if set := p.dir.Cluster("eds").Endpoints(); len(set.Ring) < 1024 || set.ConnectTimeout != time.Second {
		t.Errorf("the ring has %d points", len(set.Ring))
	}
	if p.endpoints("unused") != "unknown" {
		t.Error("a cluster that nothing names was taken")
	}
	s.await("an ACK of each type", func() bool { return s.acks >= 4 && len(s.nacks) == 0 })
	s.mu.Lock()
	for i, r := range s.requests {
		if (r.Node.GetId() == "test") != (i == 0) {
			t.Error("the node is not in the first request alone")
		}
	}
	s.mu.Unlock()
	st := p.Status()
	if !st.Connected || !st.Synced || st.Version != c.Version || len(st.Resources) != 8 {
		t.Errorf("status %+v", st)
	}
}

func TestSourceIsKnownBesideClientsOnly(t *testing.T) {
	s := startServer(t)
	table := func(name string) change {
		c := routes(name, "a", "b")
		c.message.(*proxyv1.RouteConfiguration).Routes[0].Matches = []*proxyv1.Match{
			{Source: &proxyv1.SourceMatch{Namespace: "demo", Labels: map[string]string{"app": "client"}}}}
		return c
	}
	shared := func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) { m.RouteConfigName = "shared" }
	inbound := func(l *listenerv3.Listener, _ *proxyv1.MetaProtocol) {
		l.TrafficDirection = corev3.TrafficDirection_INBOUND
	}
	s.update(table("shared"), lis("out", shared), lis("in", shared, inbound), lis("gateway", shared),
		local("a", clusterv3.Cluster_STATIC), local("b", clusterv3.Cluster_STATIC))
	p := startProxy(t, s.address)
	p.await("three listeners", func() bool { c, _ := p.config(); return len(c.Listeners) == 3 })
	c, _ := p.config()
	for i, want := range []bool{false, false, true} { // gateway, in, out
		m := c.Listeners[i].Routes.Explain(toy{}.Properties(), nil, nil, nil)
		if m[0].Matched != want {
			t.Errorf("listener %s: the caller's route matches: %t", c.Listeners[i].Name, m[0].Matched)
		}
	}
	if c.Listeners[0].Routes != c.Listeners[1].Routes {
		t.Error("one variant was compiled twice")
	}
}

func TestGoodResourcesOfABadResponseAreTaken(t *testing.T) {
	s := startServer(t)
	s.update(lis("good"), lis("bad", func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) { m.Protocol = "smtp" }),
		lis("worse", func(l *listenerv3.Listener, _ *proxyv1.MetaProtocol) { l.StatPrefix = "x" }),
		routes("good", "a"), local("a", clusterv3.Cluster_STATIC))
	p := startProxy(t, s.address)
	p.awaitForce("good: r0→a")
	nack := s.awaitNack(`Listener "bad": filter_chains[0].filters[0].typed_config.protocol: "smtp" is not one of toy`,
		`Listener "worse": stat_prefix: is not implemented by this proxy`)
	if strings.Contains(nack, `"good"`) {
		t.Errorf("NACK %q", nack)
	}
	if r := p.awaitState(listenerType, "bad", Nacked); r.Version != "" || !strings.Contains(r.Error, "smtp") {
		t.Errorf("status %+v", r)
	}
	s.update(lis("bad"), routes("bad", "a"))
	p.awaitForce("bad: r0→a; good: r0→a")
	p.awaitState(listenerType, "bad", Active)
}

func TestBadUpdateLeavesTheLastGood(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x")
	p.awaitEndpoints("x", "10.0.0.1:80")
	version := p.resource(routeType, "a").Version
	_, applied := p.config()

	bad := routes("a", "y")
	bad.message.(*proxyv1.RouteConfiguration).Routes[0].Matches = []*proxyv1.Match{
		{Properties: []*proxyv1.PropertyMatch{{Property: "verb", Match: &proxyv1.PropertyMatch_Exact{Exact: "x"}}}}}
	filter := routes("a", "y")
	filter.message.(*proxyv1.RouteConfiguration).Routes[0].Filters = []*proxyv1.Filter{{Name: "lua"}}
	config := routes("a", "y")
	config.message.(*proxyv1.RouteConfiguration).Routes[0].Filters = []*proxyv1.Filter{{Name: "mirror",
		Config: &structpb.Struct{Fields: map[string]*structpb.Value{"percentage": structpb.NewNumberValue(3)}}}}
	for _, c := range []struct {
		change change
		nack   []string
	}{
		{bad, []string{`RouteConfiguration "a"`, "routes[0]", `"verb"`}},
		{filter, []string{"lua", "no such filter"}},
		{config, []string{"mirror", "percentage"}},
		{change{kind: routeType, name: "a", message: routes("a", "y").message, extra: []byte{0xf8, 0x07, 1}}, []string{`RouteConfiguration "a"`, "unknown field 127"}},
		{eds("x", func(c *clusterv3.Cluster) { c.LbPolicy = clusterv3.Cluster_MAGLEV }), []string{`Cluster "x"`, "lb_policy: MAGLEV"}},
		{assignment("x", "name:80"), []string{`ClusterLoadAssignment "x"`, `endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: "name"`}},
		{lis("a", func(l *listenerv3.Listener, _ *proxyv1.MetaProtocol) { l.FilterChains = nil }), []string{`Listener "a"`, "filter_chains: there are 0"}},
	} {
		s.update(c.change)
		s.awaitNack(c.nack...)
	}
	if r := p.awaitState(routeType, "a", Nacked); r.Version != version {
		t.Errorf("version %s, was %s", r.Version, version)
	}
	if _, n := p.config(); n != applied || p.inForce() != "a: r0→x" || p.endpoints("x") != "10.0.0.1:80" {
		t.Errorf("applied %d times, was %d; in force %q, endpoints %s", n, applied, p.inForce(), p.endpoints("x"))
	}
}

func TestChurnEndsInTheLastChange(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"))
	p := startProxy(t, s.address)
	const last = 1000
	for i := range last + 1 {
		x := fmt.Sprintf("x%d", i%7)
		c := routes("a", x)
		c.message.(*proxyv1.RouteConfiguration).Routes[0].Name = fmt.Sprintf("change%d", i)
		s.update(c, eds(x), assignment(x, fmt.Sprintf("10.0.%d.%d:80", i/256, i%256)))
	}
	p.awaitForce("a: change1000→x6")
	p.awaitEndpoints("x6", "10.0.3.232:80")
	p.awaitState(routeType, "a", Active)
	s.await("no NACK", func() bool { return len(s.nacks) == 0 })
	st := p.Status()
	if len(st.Resources) != 4 {
		t.Errorf("holds more than it uses: %+v", st.Resources)
	}
}

func TestEnvelopeIsStrictToo(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.address)
	p.await("a connection", func() bool { return p.Status().Connected || p.clock.Timers() > 0 })
	unknown := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: listenerType.url(), Nonce: "n1"}
	unknown.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	s.inject(unknown)
	s.awaitNack("unknown field 127")
	s.inject(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: "type.googleapis.com/x.Y", Nonce: "n2"})
	s.awaitNack(`"type.googleapis.com/x.Y" was not asked for`)
	r := s.marshal(lis("a"))
	r.Ttl = durationpb.New(time.Second)
	s.inject(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: listenerType.url(), Nonce: "n3", Resources: []*discoveryv3.Resource{r}})
	s.awaitNack(`Listener "a": ttl: is not implemented`)
	r = s.marshal(routes("a", "x"))
	s.inject(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: listenerType.url(), Nonce: "n4", Resources: []*discoveryv3.Resource{r, {Name: "b"}}})
	s.awaitNack(`Listener "a": resource: is of type`, `Listener "b": resource: is of type ""`)
}
