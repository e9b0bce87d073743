package xdsclient

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	deltav3 "github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
)

// goControlPlane is Envoy's delta server as a gRPC service.
type goControlPlane struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	delta deltav3.Server
}

func (g goControlPlane) DeltaAggregatedResources(s discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return g.delta.DeltaStreamHandler(s, resourcev3.AnyType)
}

// TestAgainstGoControlPlane: the server of the other tests is ours, and may
// share our mistakes about the protocol; this one is Envoy's.
func TestAgainstGoControlPlane(t *testing.T) {
	mux := &cachev3.MuxCache{
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        map[string]cachev3.Cache{},
	}
	linear := [kinds]*cachev3.LinearCache{}
	for k := range kinds {
		linear[k] = cachev3.NewLinearCache(k.url())
		mux.Caches[k.url()] = linear[k]
	}
	update := func(changes ...change) {
		t.Helper()
		for _, c := range changes {
			var err error
			if c.message == nil {
				err = linear[c.kind].DeleteResource(c.name)
			} else {
				err = linear[c.kind].UpdateResource(c.name, c.message)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "ads.sock")
	start := func() (stop func()) {
		l, err := net.Listen("unix", file)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		g, ended := grpc.NewServer(), make(chan error, 1)
		discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, goControlPlane{delta: deltav3.NewServer(ctx, mux, nil)})
		go func() { ended <- g.Serve(l) }()
		return func() {
			cancel()
			g.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := start()
	update(lis("a"), lis("b"), routes("a", "x"), routes("b", "y"), eds("x"), assignment("x", "10.0.0.1:80"), local("y", clusterv3.Cluster_STATIC, "10.0.0.2:80"))
	p := startProxy(t, "unix:"+file)
	p.awaitForce("a: r0→x; b: r0→y")
	p.awaitEndpoints("x", "10.0.0.1:80")
	update(assignment("x", "10.0.0.3:80"))
	p.awaitEndpoints("x", "10.0.0.3:80")
	update(routes("a", "z")) // before its cluster
	p.awaitState(routeType, "a", Warming)
	update(local("z", clusterv3.Cluster_STATIC))
	p.awaitForce("a: r0→z; b: r0→y")
	update(routes("a", "x")) // asked for a second time
	p.awaitForce("a: r0→x; b: r0→y")
	update(gone(listenerType, "b"))
	p.awaitForce("a: r0→x")
	_, applied := p.config()

	stop()
	p.await("the loss", func() bool { return !p.Status().Connected })
	update(assignment("x", "10.0.0.4:80"))
	stop = start()
	defer stop()
	p.clock.Advance(p.clock.Waiting(firstRetry))
	p.awaitEndpoints("x", "10.0.0.4:80")
	if _, n := p.config(); n != applied {
		t.Errorf("applied %d times, was %d: the reconnect changed something", n, applied)
	}
	bad := lis("c")
	bad.message.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	update(bad, lis("d"), routes("d", "x"))
	p.awaitForce("a: r0→x; d: r0→x")
	p.awaitState(listenerType, "c", Nacked)
}
