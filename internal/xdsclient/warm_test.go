package xdsclient

import (
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/structpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
)

func TestRoutesWaitForTheirClusters(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x")

	s.hold(clusterType, true)
	s.hold(endpointType, true)
	mirror := routes("a", "x", "y")
	mirror.message.(*proxyv1.RouteConfiguration).Routes[0].Filters = []*proxyv1.Filter{{Name: "mirror",
		Config: &structpb.Struct{Fields: map[string]*structpb.Value{"cluster": structpb.NewStringValue("copy")}}}}
	s.update(mirror, eds("y"), assignment("y", "10.0.0.2:80"), local("copy", clusterv3.Cluster_STATIC, "10.0.0.3:80"))
	if r := p.awaitState(routeType, "a", Warming); r.Error != "waits for clusters copy, y" {
		t.Errorf("status %+v", r)
	}
	s.hold(clusterType, false)
	p.awaitState(clusterType, "copy", Active)
	if r := p.resource(routeType, "a"); r.Error != "waits for clusters y" || p.inForce() != "a: r0→x" {
		t.Errorf("in force before its endpoints: %q, status %+v", p.inForce(), r)
	}
	s.hold(endpointType, false)
	p.awaitForce("a: r0→x r1→y")
	p.awaitState(routeType, "a", Active)
	if p.endpoints("y") != "10.0.0.2:80" {
		t.Errorf("y has %s when the routes are in force", p.endpoints("y"))
	}
	p.awaitState(listenerType, "a", Active)
}

func TestRoutesComeIntoForceAfterTheBound(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), lis("empty"))
	p := startProxy(t, s.address)
	p.awaitState(listenerType, "a", Warming)
	p.awaitState(listenerType, "empty", Warming)
	p.awaitState(routeType, "a", Warming)
	p.clock.Waiting(15 * time.Second)
	p.clock.Advance(15*time.Second - 1)
	p.Status() // the client has seen the time
	if _, n := p.config(); n != 0 {
		t.Error("applied before the bound was over")
	}
	p.clock.Advance(1)
	p.awaitForce("a: r0→x; empty:")
	if p.log.count("clusters that they name are missing") != 1 || p.log.count("opens without routes") != 1 {
		t.Errorf("log:\n%s", p.log)
	}
	// What arrives later needs no bound.
	s.update(local("x", clusterv3.Cluster_STATIC, "10.0.0.1:80"), routes("empty", "x"))
	p.awaitForce("a: r0→x; empty: r0→x")
	p.awaitEndpoints("x", "10.0.0.1:80")
	// A wait that was given up has not used up the bound of the next one.
	s.update(routes("a", "y"))
	p.awaitState(routeType, "a", Warming)
	s.update(lis("a", func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) { m.RouteConfigName = "other" }))
	p.await("the wait for other routes", func() bool { return p.resource(routeType, "a").State == "" })
	p.clock.Advance(20 * time.Second)
	s.update(routes("other", "x", "z"))
	p.awaitState(routeType, "other", Warming)
	s.update(local("z", clusterv3.Cluster_STATIC))
	p.awaitForce("a: r0→x r1→z; empty: r0→x")
}

func TestNamesAreAnsweredBeforeRoutesAreInForce(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), local("x", clusterv3.Cluster_STRICT_DNS, "localhost:80", "10.0.0.1:80"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x")
	if got := p.endpoints("x"); got != "10.0.0.1:80 127.0.0.1:80" {
		t.Errorf("x has %s when the routes are in force", got)
	}
}

func TestRemovalSemantics(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), lis("b"), routes("a", "x"), routes("b", "y"), eds("x"), assignment("x", "10.0.0.1:80"), eds("y"), assignment("y", "10.0.0.2:80"))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x; b: r0→y")
	p.awaitEndpoints("x", "10.0.0.1:80")

	// What is in use stays, whatever the server removes.
	s.update(gone(routeType, "a"), gone(clusterType, "x"), gone(endpointType, "x"))
	p.await("three lines", func() bool { return p.log.count("its last good form stays") == 3 })
	if p.inForce() != "a: r0→x; b: r0→y" || p.endpoints("x") != "10.0.0.1:80" {
		t.Errorf("in force %q, x has %s", p.inForce(), p.endpoints("x"))
	}
	// No endpoints is an order, not a removal.
	s.update(assignment("y"))
	p.awaitEndpoints("y", "")
	// What no table names goes, after the requests under way.
	s.update(routes("a", "y"))
	p.awaitForce("a: r0→y; b: r0→y")
	s.await("unsubscribing", func() bool {
		return slices.ContainsFunc(s.requests, func(r *discoveryv3.DeltaDiscoveryRequest) bool {
			return r.TypeUrl == endpointType.url() && slices.Contains(r.ResourceNamesUnsubscribe, "x")
		})
	})
	if p.endpoints("x") != "10.0.0.1:80" {
		t.Error("x is gone with the table that named it")
	}
	p.clock.Advance(p.clock.Waiting(linger))
	p.awaitEndpoints("x", "unknown")
	// A listener that is removed closes.
	s.update(gone(listenerType, "a"))
	p.awaitForce("b: r0→y")
	s.update(gone(listenerType, "b"))
	p.awaitForce("")
	if _, n := p.config(); n != 4 && n != 5 {
		t.Errorf("applied %d times", n)
	}
	p.await("an empty status", func() bool { return len(p.Status().Resources) == 0 })
}

func TestClusterThatComesBackIsNotTakenAway(t *testing.T) {
	s := startServer(t)
	s.update(lis("a"), routes("a", "x"), eds("x"), assignment("x", "10.0.0.1:80"), local("y", clusterv3.Cluster_STATIC))
	p := startProxy(t, s.address)
	p.awaitForce("a: r0→x")
	s.update(routes("a", "y"))
	p.awaitForce("a: r0→y")
	before := p.dir.Cluster("x").Endpoints().Endpoints[0]
	s.update(routes("a", "x"))
	p.awaitForce("a: r0→x")
	p.clock.Advance(linger)
	p.Status()
	if got := p.dir.Cluster("x").Endpoints(); len(got.Endpoints) != 1 || got.Endpoints[0] != before {
		t.Errorf("x has %s", p.endpoints("x"))
	}
}
