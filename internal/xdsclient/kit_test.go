package xdsclient

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/cluster"
	"github.com/aeraki-mesh/aeraki/internal/cluster/clock/clocktest"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// toy is a protocol of which only the properties matter here.
type toy struct{}

func (toy) Traits() codec.Traits { return codec.Traits{Name: "toy"} }
func (toy) Properties() []codec.Property {
	return []codec.Property{{Name: "method"}, {Name: "header", Keyed: true, Mutable: true}}
}
func (toy) Sniff([]byte) codec.Verdict                     { return codec.Yes }
func (toy) Decoder(codec.Side, codec.Limits) codec.Decoder { return nil }

// proxy is a client with what it fills.
type proxy struct {
	*Client
	t     *testing.T
	clock *clocktest.Clock
	dir   *cluster.Directory
	log   *lines

	mu      sync.Mutex
	applied []*engine.Config
}

func startProxy(t *testing.T, address string) *proxy {
	t.Helper()
	p, end := newProxy(t, address)
	t.Cleanup(end)
	return p
}

// newProxy is startProxy for tests that end it themselves.
func newProxy(t *testing.T, address string) (p *proxy, end func()) {
	t.Helper()
	p = &proxy{t: t, clock: clocktest.New(), log: &lines{}}
	log := slog.New(slog.NewTextHandler(p.log, nil))
	p.dir = cluster.New(cluster.Options{Clock: p.clock, Log: log})
	c, err := Start(p.options(address, log))
	if err != nil {
		t.Fatal(err)
	}
	p.Client = c
	return p, func() {
		c.Close()
		p.dir.Close()
		if n := p.clock.Timers(); n > 0 {
			t.Errorf("%d timers are left", n)
		}
	}
}

func (p *proxy) options(address string, log *slog.Logger) Options {
	return Options{
		Node: &corev3.Node{Id: "test"}, Address: address, Clusters: p.dir,
		Protocols: []codec.Protocol{toy{}}, Filters: filters.Builtin(),
		Source:   route.Source{Namespace: "demo", Labels: map[string]string{"app": "client"}},
		Gateways: []string{"gateway"},
		Clock:    p.clock, Log: log, Random: func() float64 { return 0 },
		Apply: func(c *engine.Config) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.applied = append(p.applied, c)
		},
	}
}

// config returns what was applied last and how often that happened.
func (p *proxy) config() (*engine.Config, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.applied) == 0 {
		return &engine.Config{}, 0
	}
	return p.applied[len(p.applied)-1], len(p.applied)
}

// await waits until the condition holds.
func (p *proxy) await(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s did not happen; in force %q, status %+v\n%s", what, p.inForce(), p.Status(), p.log)
		}
	}
}

// inForce renders the configuration: "name address: route→cluster …", by name.
func (p *proxy) inForce() string {
	c, _ := p.config()
	var out []string
	for _, l := range c.Listeners {
		s := l.Name + ":"
		for _, r := range l.Routes.Routes {
			for _, w := range r.Clusters {
				s += " " + r.Name + "→" + w.Name
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func (p *proxy) awaitForce(want string) {
	p.t.Helper()
	p.await(fmt.Sprintf("%q in force", want), func() bool { return p.inForce() == want })
}

func (p *proxy) awaitEndpoints(name, want string) {
	p.t.Helper()
	p.await(fmt.Sprintf("cluster %s with %q", name, want), func() bool { return p.endpoints(name) == want })
}

// endpoints renders a cluster; "unknown" if it does not exist.
func (p *proxy) endpoints(name string) string {
	set := p.dir.Cluster(name).Endpoints()
	if !set.Known {
		return "unknown"
	}
	var out []string
	for _, e := range set.Endpoints {
		out = append(out, e.Addr.String())
	}
	return strings.Join(out, " ")
}

// resource returns the status of one resource.
func (p *proxy) resource(k kind, name string) Resource {
	for _, r := range p.Status().Resources {
		if r.Type == k.String() && r.Name == name {
			return r
		}
	}
	return Resource{}
}

func (p *proxy) awaitState(k kind, name string, want State) Resource {
	p.t.Helper()
	var r Resource
	p.await(fmt.Sprintf("%s %s %s", k, name, want), func() bool { r = p.resource(k, name); return r.State == want })
	return r
}

// lis is an outbound listener with routes of the same name.
func lis(name string, edit ...func(*listenerv3.Listener, *proxyv1.MetaProtocol)) change {
	m := &proxyv1.MetaProtocol{Protocol: "toy", RouteConfigName: name, Destination: &proxyv1.Destination{Host: name}}
	l := &listenerv3.Listener{
		Name: name, TrafficDirection: corev3.TrafficDirection_OUTBOUND, Address: address("127.0.0.1", 0),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{Name: proxyv1.FilterName}}}},
	}
	for _, e := range edit {
		e(l, m)
	}
	if len(l.FilterChains) > 0 && len(l.FilterChains[0].Filters) > 0 && l.FilterChains[0].Filters[0].ConfigType == nil {
		l.FilterChains[0].Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(m)}
	}
	return change{kind: listenerType, name: name, message: l}
}

func pack(m *proxyv1.MetaProtocol) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

func address(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

// routes is a table with one route per cluster, named r0, r1, ….
func routes(name string, clusters ...string) change {
	rc := &proxyv1.RouteConfiguration{Name: name}
	for i, c := range clusters {
		rc.Routes = append(rc.Routes, &proxyv1.Route{Name: fmt.Sprintf("r%d", i), Clusters: []*proxyv1.WeightedCluster{{Name: c, Weight: 1}}})
	}
	return change{kind: routeType, name: name, message: rc}
}

// eds is a cluster whose endpoints come by EDS.
func eds(name string, edit ...func(*clusterv3.Cluster)) change {
	c := &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
			ResourceApiVersion:    corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}},
	}
	for _, e := range edit {
		e(c)
	}
	return change{kind: clusterType, name: name, message: c}
}

// local is a cluster of the given type with addresses inside.
func local(name string, typ clusterv3.Cluster_DiscoveryType, addrs ...string) change {
	return change{kind: clusterType, name: name, message: &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: typ},
		LoadAssignment: assignment(name, addrs...).message.(*endpointv3.ClusterLoadAssignment),
	}}
}

func assignment(name string, addrs ...string) change {
	l := &endpointv3.LocalityLbEndpoints{}
	for _, a := range addrs {
		host, port, _ := strings.Cut(a, ":")
		if ap, err := netip.ParseAddrPort(a); err == nil {
			host, port = ap.Addr().String(), fmt.Sprint(ap.Port())
		}
		var n uint32
		if _, err := fmt.Sscan(port, &n); err != nil {
			panic(err)
		}
		l.LbEndpoints = append(l.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(host, n)}},
		})
	}
	return change{kind: endpointType, name: name, message: &endpointv3.ClusterLoadAssignment{
		ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{l},
	}}
}

func gone(k kind, name string) change { return change{kind: k, name: name} }

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

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "")
}

func (l *lines) count(part string) int { return strings.Count(l.String(), part) }

var _ io.Writer = (*lines)(nil)
