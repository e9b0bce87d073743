package controller

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
)

const serviceYAML = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo.svc.cluster.local]
  ports: [{number: 9090, name: tcp-metaprotocol-thrift, protocol: TCP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {tcp-metaprotocol-thrift: 7001}, labels: {version: v1}}
  - {address: 127.0.0.1, ports: {tcp-metaprotocol-thrift: 7002}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: hello, namespace: demo}
spec:
  host: hello.demo.svc.cluster.local
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`

func routerYAML(v1, v2 string) string {
	return `apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo.svc.cluster.local]
  routes:
  - name: split
    match: {attributes: {method: {exact: sayHello}}}
    route:
    - {destination: {host: hello.demo.svc.cluster.local, subset: v1}, weight: ` + v1 + `}
    - {destination: {host: hello.demo.svc.cluster.local, subset: v2}, weight: ` + v2 + `}
`
}

func schemas() map[string]compile.ProtocolSchema {
	return map[string]compile.ProtocolSchema{"thrift": {Mutable: true, Properties: []codec.Property{{Name: "method"}, {Name: "header", Keyed: true, Fallback: true, Mutable: true}}}}
}

// start runs a controller on the folder until the test ends.
func start(t *testing.T, o Options) (ads, status net.Addr, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	type addrs struct{ ads, status net.Addr }
	ready := make(chan addrs, 1)
	ended := make(chan error, 1)
	o.Ready = func(a, s net.Addr) { ready <- addrs{a, s} }
	if o.Compile.Schemas == nil {
		o.Compile.Schemas = schemas()
	}
	if testing.Verbose() && o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	go func() { ended <- Run(ctx, o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the controller ended with %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case a := <-ready:
		return a.ads, a.status, stop
	case err := <-ended:
		t.Fatalf("the controller did not start: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the controller is not ready")
	}
	return nil, nil, nil
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func metadata(listeners ...any) map[string]any {
	return map[string]any{"namespace": "demo", "protocols": []any{"thrift"}, "filters": []any{"mirror", "mutation"}, "listeners": listeners}
}

func outbound(host string, port int) map[string]any {
	return map[string]any{"name": "out", "bind": "127.0.0.1:9090", "outbound": map[string]any{"host": host, "port": port}}
}

func TestServesAndFollowsAnEdit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	write(t, filepath.Join(dir, "routes", "router.yaml"), routerYAML("20", "80"))
	ads, _, _ := start(t, Options{Dir: dir})

	c := adstest.Dial(t, ads, "client-1", metadata(outbound("hello.demo.svc.cluster.local", 9090)))
	c.Subscribe(xds.ListenerType)
	c.WaitFor(xds.ListenerType, "out")
	l := &listenerv3.Listener{}
	c.Get(xds.ListenerType, "out", l)
	mp := &proxyv1.MetaProtocol{}
	if err := l.FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(mp); err != nil {
		t.Fatal(err)
	}
	c.Subscribe(xds.RouteType, mp.RouteConfigName)
	version := c.WaitFor(xds.RouteType, mp.RouteConfigName)
	rc := &proxyv1.RouteConfiguration{}
	c.Get(xds.RouteType, mp.RouteConfigName, rc)
	if got := rc.Routes[0].Clusters[0].Weight; got != 20 {
		t.Errorf("weight of v1 is %d, want 20", got)
	}
	cluster := rc.Routes[0].Clusters[0].Name
	c.Subscribe(xds.ClusterType, cluster)
	c.Subscribe(xds.EndpointType, cluster)
	c.WaitFor(xds.ClusterType, cluster)
	c.WaitFor(xds.EndpointType, cluster)

	edited := time.Now()
	write(t, filepath.Join(dir, "routes", "router.yaml"), routerYAML("80", "20"))
	c.WaitChange(xds.RouteType, mp.RouteConfigName, version)
	t.Logf("the edit was served after %v", time.Since(edited))
	c.Get(xds.RouteType, mp.RouteConfigName, rc)
	if got := rc.Routes[0].Clusters[0].Weight; got != 80 {
		t.Errorf("weight of v1 is %d, want 80", got)
	}
	want := []string{"+out", "+" + mp.RouteConfigName, "+" + cluster, "+" + cluster, "+" + mp.RouteConfigName}
	if got := c.Sent(); len(got) != len(want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}
