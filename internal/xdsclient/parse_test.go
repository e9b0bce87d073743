package xdsclient

import (
	"fmt"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filters"
)

func newParser() *parser {
	return &parser{protocols: map[string]codec.Protocol{"toy": toy{}}, filters: filters.Builtin()}
}

// parse reads bytes as a resource of this kind and compiles routes.
func (p *parser) parse(k kind, name string, b []byte) error {
	var err error
	switch k {
	case listenerType:
		_, err = p.listener(name, b)
	case clusterType:
		_, err = p.cluster(name, b)
	case endpointType:
		_, err = p.endpoints(name, b)
	case routeType:
		var r routeResource
		if r, err = p.routes(name, b); err == nil {
			_, err = p.compile(&r, variant{"toy", true})
		}
	}
	return err
}

func (c change) bytes(t testing.TB) []byte {
	b, err := proto.Marshal(c.message)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, c.extra...)
}

// full is one resource of each kind with every field set that is implemented.
func full() []change {
	matches := []*proxyv1.PropertyMatch{
		{Property: "method", Match: &proxyv1.PropertyMatch_Exact{Exact: "x"}, Invert: true},
		{Property: "method", Match: &proxyv1.PropertyMatch_Range{Range: &proxyv1.Range{Start: 1, End: 2}}},
	}
	rc := routes("a", "x", "y")
	r := rc.message.(*proxyv1.RouteConfiguration).Routes[0]
	r.Matches = []*proxyv1.Match{{Properties: matches, Source: &proxyv1.SourceMatch{Namespace: "n", Labels: map[string]string{"a": "b"}}}}
	r.Timeout = durationpb.New(1)
	r.HashPolicy = []*proxyv1.HashPolicy{{Policy: &proxyv1.HashPolicy_Property{Property: "method"}}}
	r.Filters = []*proxyv1.Filter{{Name: "mirror", Config: &structpb.Struct{Fields: map[string]*structpb.Value{
		"cluster": structpb.NewStringValue("x"), "percent": structpb.NewNumberValue(1)}}}}
	l := lis("a", func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) {
		m.Limits, m.IdleTimeout = &proxyv1.Limits{MaxRequests: 1}, durationpb.New(1)
	})
	ring := eds("a", func(c *clusterv3.Cluster) {
		c.LbPolicy = clusterv3.Cluster_RING_HASH
		c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{
			MinimumRingSize: wrapperspb.UInt64(4096), MaximumRingSize: wrapperspb.UInt64(8192)}}
	})
	names := local("a", clusterv3.Cluster_STRICT_DNS, "host:80", "10.0.0.1:80")
	names.message.(*clusterv3.Cluster).RespectDnsTtl = true
	names.message.(*clusterv3.Cluster).DnsLookupFamily = clusterv3.Cluster_V4_ONLY
	addrs := assignment("a", "10.0.0.1:80", "10.0.0.2:80")
	e := addrs.message.(*endpointv3.ClusterLoadAssignment).Endpoints[0]
	e.Locality = &corev3.Locality{Region: "r", Zone: "z", SubZone: "s"}
	e.LbEndpoints[0].LoadBalancingWeight = wrapperspb.UInt32(3)
	e.LbEndpoints[0].HealthStatus = corev3.HealthStatus_HEALTHY
	return []change{l, rc, ring, names, addrs}
}

func TestWhatIsImplementedIsAccepted(t *testing.T) {
	for _, c := range full() {
		if err := newParser().parse(c.kind, "a", c.bytes(t)); err != nil {
			t.Errorf("%s: %v", c.kind, err)
		}
	}
}

// TestUnknownFieldAtEveryLevel puts an unknown field into every message of
// every resource in turn, the typed configuration in the listener included.
func TestUnknownFieldAtEveryLevel(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 9999, protowire.VarintType), 1)
	levels := map[string]bool{}
	for i, c := range full() {
		for n := 0; ; n++ {
			m := full()[i].message
			v := visitor{at: n, visit: func(m protoreflect.Message, path string) { m.SetUnknown(unknown) }}
			v.message(m.ProtoReflect(), "")
			if v.path == nil {
				break
			}
			b, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			err = newParser().parse(c.kind, "a", b)
			want := "unknown field 9999"
			if *v.path != "" {
				want = *v.path + ": " + want
			}
			levels[c.kind.String()+" "+*v.path] = true
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: at %q: %v", c.kind, *v.path, err)
			}
		}
	}
	for _, must := range []string{"Listener ", "Listener filter_chains[0].filters[0].typed_config", "Listener filter_chains[0].filters[0].typed_config.limits",
		"Listener address.socket_address", "RouteConfiguration routes[0].matches[0].properties[1].range", "RouteConfiguration routes[0].timeout",
		`RouteConfiguration routes[0].filters[0].config.fields["cluster"]`, "Cluster eds_cluster_config.eds_config.ads",
		"Cluster ring_hash_lb_config.minimum_ring_size", "Cluster load_assignment.endpoints[0].lb_endpoints[1].endpoint.address.socket_address",
		"ClusterLoadAssignment endpoints[0].lb_endpoints[0].load_balancing_weight"} {
		if !levels[must] {
			t.Errorf("%s was not visited", must)
		}
	}
}

// visitor calls visit with the at-th message inside a message, itself first,
// and looks into Any as well.
type visitor struct {
	at    int
	visit func(m protoreflect.Message, path string)
	path  *string
}

func (v *visitor) message(m protoreflect.Message, path string) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			panic(err)
		}
		v.message(inner.ProtoReflect(), path)
		if a.Value, err = proto.Marshal(inner); err != nil {
			panic(err)
		}
		return
	}
	if v.at--; v.at == -1 {
		v.visit(m, path)
		v.path = &path
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() == nil || !m.Has(f) {
			continue
		}
		at := strings.TrimPrefix(path+"."+string(f.Name()), ".")
		switch {
		case f.IsMap():
			m.Get(f).Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
				if f.MapValue().Message() != nil && k.String() == "cluster" {
					v.message(e.Message(), fmt.Sprintf("%s[%q]", at, k.String()))
				}
				return true
			})
		case f.IsList():
			for j := range m.Get(f).List().Len() {
				v.message(m.Get(f).List().Get(j).Message(), fmt.Sprintf("%s[%d]", at, j))
			}
		default:
			v.message(m.Mutable(f).Message(), at)
		}
	}
}

func TestFieldsThatAreNotImplementedAreRefused(t *testing.T) {
	meta := func(edit func(m *proxyv1.MetaProtocol)) change {
		return lis("a", func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) { edit(m) })
	}
	listen := func(edit func(l *listenerv3.Listener)) change {
		return lis("a", func(l *listenerv3.Listener, _ *proxyv1.MetaProtocol) { edit(l) })
	}
	assigned := func(edit func(m *endpointv3.ClusterLoadAssignment)) change {
		c := assignment("a", "10.0.0.1:80")
		edit(c.message.(*endpointv3.ClusterLoadAssignment))
		return c
	}
	endpoint := func(edit func(e *endpointv3.LbEndpoint)) change {
		return assigned(func(m *endpointv3.ClusterLoadAssignment) { edit(m.Endpoints[0].LbEndpoints[0]) })
	}
	socket := func(a *corev3.Address) *corev3.SocketAddress { return a.GetSocketAddress() }
	for want, c := range map[string]change{
		// Listeners.
		"name: is \"b\" inside":                          listen(func(l *listenerv3.Listener) { l.Name = "b" }),
		"traffic_direction: is neither":                  listen(func(l *listenerv3.Listener) { l.TrafficDirection = 0 }),
		"traffic_direction: unknown value 77":            listen(func(l *listenerv3.Listener) { l.TrafficDirection = 77 }),
		"per_connection_buffer_limit_bytes: is not impl": listen(func(l *listenerv3.Listener) { l.PerConnectionBufferLimitBytes = wrapperspb.UInt32(0) }),
		"filter_chains: there are 2":                     listen(func(l *listenerv3.Listener) { l.FilterChains = append(l.FilterChains, &listenerv3.FilterChain{}) }),
		"filter_chains[0].filter_chain_match: is not": listen(func(l *listenerv3.Listener) {
			l.FilterChains[0].FilterChainMatch = &listenerv3.FilterChainMatch{}
		}),
		"filter_chains[0].filters[0].name: \"x\"": listen(func(l *listenerv3.Listener) { l.FilterChains[0].Filters[0].Name = "x" }),
		"filter_chains[0].filters[0].typed_config: type \"x/y\" is not": listen(func(l *listenerv3.Listener) {
			l.FilterChains[0].Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: &anypb.Any{TypeUrl: "x/y"}}
		}),
		"address.socket_address.address: \"host\" is not an IP": listen(func(l *listenerv3.Listener) { socket(l.Address).Address = "host" }),
		"address.socket_address.protocol: UDP":                  listen(func(l *listenerv3.Listener) { socket(l.Address).Protocol = corev3.SocketAddress_UDP }),
		"address.socket_address.ipv4_compat: is not":            listen(func(l *listenerv3.Listener) { socket(l.Address).Ipv4Compat = true }),
		"address.socket_address.port_value: 70000":              listen(func(l *listenerv3.Listener) { l.Address = address("127.0.0.1", 70000) }),
		"typed_config.protocol: \"smtp\"":                       meta(func(m *proxyv1.MetaProtocol) { m.Protocol = "smtp" }),
		"typed_config.route_config_name: is empty":              meta(func(m *proxyv1.MetaProtocol) { m.RouteConfigName = "" }),
		"typed_config.sharing: unknown value 9":                 meta(func(m *proxyv1.MetaProtocol) { m.Sharing = 9 }),
		"typed_config.idle_timeout: -1ns":                       meta(func(m *proxyv1.MetaProtocol) { m.IdleTimeout = durationpb.New(-1) }),
		"typed_config.limits.max_message_bytes: 9":              meta(func(m *proxyv1.MetaProtocol) { m.Limits = &proxyv1.Limits{MaxMessageBytes: 9 << 40} }),
		"typed_config.limits.max_requests: 4":                   meta(func(m *proxyv1.MetaProtocol) { m.Limits = &proxyv1.Limits{MaxRequests: 1<<32 - 1} }),
		// Clusters.
		"lb_policy: MAGLEV":         eds("a", func(c *clusterv3.Cluster) { c.LbPolicy = clusterv3.Cluster_MAGLEV }),
		"lb_policy: unknown value":  eds("a", func(c *clusterv3.Cluster) { c.LbPolicy = 99 }),
		"type: LOGICAL_DNS":         local("a", clusterv3.Cluster_LOGICAL_DNS),
		"circuit_breakers: is not":  eds("a", func(c *clusterv3.Cluster) { c.CircuitBreakers = &clusterv3.CircuitBreakers{} }),
		"outlier_detection: is not": eds("a", func(c *clusterv3.Cluster) { c.OutlierDetection = &clusterv3.OutlierDetection{} }),
		"transport_socket: is not":  eds("a", func(c *clusterv3.Cluster) { c.TransportSocket = &corev3.TransportSocket{} }),
		"connect_timeout: -1s":      eds("a", func(c *clusterv3.Cluster) { c.ConnectTimeout = durationpb.New(-1e9) }),
		"eds_config.ads: is missing": eds("a", func(c *clusterv3.Cluster) {
			c.EdsClusterConfig.EdsConfig.ConfigSourceSpecifier = nil
		}),
		"eds_config.path_config_source: is not": eds("a", func(c *clusterv3.Cluster) {
			c.EdsClusterConfig.EdsConfig.ConfigSourceSpecifier = &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{}}
		}),
		"load_assignment: goes not with":       eds("a", func(c *clusterv3.Cluster) { c.LoadAssignment = &endpointv3.ClusterLoadAssignment{} }),
		"dns_lookup_family, respect_dns_ttl: ": eds("a", func(c *clusterv3.Cluster) { c.RespectDnsTtl = true }),
		"hash_function: MURMUR_HASH_2": eds("a", func(c *clusterv3.Cluster) {
			c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{HashFunction: clusterv3.Cluster_RingHashLbConfig_MURMUR_HASH_2}}
		}),
		"ring_hash_lb_config: sizes from 5 to 4": eds("a", func(c *clusterv3.Cluster) {
			c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{
				MinimumRingSize: wrapperspb.UInt64(5), MaximumRingSize: wrapperspb.UInt64(4)}}
		}),
		"ring_hash_lb_config: sizes from 99999999": eds("a", func(c *clusterv3.Cluster) {
			c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{MinimumRingSize: wrapperspb.UInt64(99999999)}}
		}),
		"load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: \"host\"": local("a", clusterv3.Cluster_STATIC, "host:80"),
		// Endpoints.
		"policy: is not implemented": assigned(func(m *endpointv3.ClusterLoadAssignment) { m.Policy = &endpointv3.ClusterLoadAssignment_Policy{} }),
		"endpoints[0].priority: is":  assigned(func(m *endpointv3.ClusterLoadAssignment) { m.Endpoints[0].Priority = 1 }),
		"metadata: is not":           endpoint(func(e *endpointv3.LbEndpoint) { e.Metadata = &corev3.Metadata{} }),
		"load_balancing_weight: is 0": endpoint(func(e *endpointv3.LbEndpoint) {
			e.LoadBalancingWeight = wrapperspb.UInt32(0)
		}),
		"health_status: DEGRADED":        endpoint(func(e *endpointv3.LbEndpoint) { e.HealthStatus = corev3.HealthStatus_DEGRADED }),
		"endpoint.hostname: is not":      endpoint(func(e *endpointv3.LbEndpoint) { e.GetEndpoint().Hostname = "h" }),
		"address.pipe: is not":           endpoint(func(e *endpointv3.LbEndpoint) { e.GetEndpoint().Address.Address = &corev3.Address_Pipe{} }),
		"address.socket_address: is mis": endpoint(func(e *endpointv3.LbEndpoint) { e.GetEndpoint().Address = nil }),
		"port_value: is 0":               endpoint(func(e *endpointv3.LbEndpoint) { e.GetEndpoint().Address = address("10.0.0.1", 0) }),
	} {
		err := newParser().parse(c.kind, "a", c.bytes(t))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got: %v", c.kind, want, err)
		}
	}
}

// first is a protocol that no engine carries.
type first struct{ toy }

func (first) Traits() codec.Traits { return codec.Traits{Name: "first", ServerFirst: true} }

func TestProtocolsThatTheEngineDoesNotCarryAreRefused(t *testing.T) {
	p := newParser()
	p.protocols["first"] = first{}
	c := lis("a", func(_ *listenerv3.Listener, m *proxyv1.MetaProtocol) { m.Protocol = "first" })
	err := p.parse(c.kind, "a", c.bytes(t))
	if err == nil || !strings.Contains(err.Error(), "typed_config.protocol: protocol first: servers that speak first") {
		t.Error(err)
	}
}

func TestUnhealthyEndpointsAreNotUsed(t *testing.T) {
	c := assignment("a", "10.0.0.1:80", "10.0.0.2:80")
	c.message.(*endpointv3.ClusterLoadAssignment).Endpoints[0].LbEndpoints[0].HealthStatus = corev3.HealthStatus_DRAINING
	got, err := newParser().endpoints("a", c.bytes(t))
	if err != nil || len(got) != 1 || got[0].Addr.String() != "10.0.0.2:80" || got[0].Weight != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	c := assignment("a", "10.0.0.1:80")
	var b []byte
	for i := range 100 {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(1000+i), protowire.VarintType), 1)
	}
	err := newParser().parse(c.kind, "a", append(c.bytes(t), b...))
	if err == nil || !strings.Contains(err.Error(), "and 92 more") || strings.Count(err.Error(), "unknown field") != maxProblems {
		t.Error(err)
	}
}

func TestDeepMessagesAreRefused(t *testing.T) {
	v := structpb.NewStringValue("x")
	for range 200 {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	c := routes("a", "x")
	c.message.(*proxyv1.RouteConfiguration).Routes[0].Filters = []*proxyv1.Filter{{Name: "mirror", Config: &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}}}}
	if err := newParser().parse(c.kind, "a", c.bytes(t)); err == nil || !strings.Contains(err.Error(), "recursion") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range full() {
		f.Add(int(c.kind), c.bytes(f))
	}
	f.Fuzz(func(t *testing.T, k int, b []byte) {
		// What counts is that nothing panics and that what is accepted is
		// accepted again.
		p, which := newParser(), kind(uint(k)%uint(kinds))
		if first, again := p.parse(which, "a", b), p.parse(which, "a", b); (first == nil) != (again == nil) {
			t.Errorf("first %v, then %v", first, again)
		}
	})
}
