package xds

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/plan"
)

// Problem is why a proxy is not served something that it asked for.
type Problem struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// ForNode is what is made for one proxy alone.
type ForNode struct {
	// Own are its listeners and, for inbound ones, a route configuration and a
	// cluster each.
	Own []Resource
	// Withheld are the route tables that it cannot carry out, by name.
	Withheld map[string]string
	Problems []Problem
}

// inboundConnectTimeout: the server is beside the proxy.
const inboundConnectTimeout = time.Second

// ForProxy translates what one proxy asked for; shared is what Shared made of
// the same mesh, or only those of it that need filters.
func ForProxy(m *ir.Mesh, n *Node, shared []Resource) ForNode {
	out := ForNode{Withheld: map[string]string{}}
	for i := range shared {
		if d := plan.Table(n.capabilities(), shared[i].Filters); d.Mode == plan.Refused {
			out.Withheld[shared[i].Name] = d.Reason
		}
	}
	names := map[string]bool{}
	for i := range n.Listeners {
		l := &n.Listeners[i]
		resources, err := listen(m, n, l, &out)
		if err == nil && names[l.Name] {
			err = fmt.Errorf("listener %q is there twice", l.Name)
		}
		names[l.Name] = true
		if err != nil {
			out.Problems = append(out.Problems, Problem{Type: ListenerType, Name: l.Name, Message: err.Error()})
			continue
		}
		out.Own = append(out.Own, resources...)
	}
	return out
}

// target is what a listener leads to.
type target struct {
	service   *ir.Service
	port      *ir.Port
	table     string
	direction corev3.TrafficDirection
}

func listen(m *ir.Mesh, n *Node, l *NodeListener, out *ForNode) ([]Resource, error) {
	bind, err := l.validate()
	if err != nil {
		return nil, err
	}
	t, err := find(m, n, l)
	if err != nil {
		return nil, err
	}
	if d := plan.Port(n.capabilities(), t.port.Codec); d.Mode == plan.Refused {
		return nil, fmt.Errorf("%s port %d: %s", t.service.Host, t.port.Number, d.Reason)
	}
	if reason, withheld := out.Withheld[t.table]; withheld {
		out.Problems = append(out.Problems, Problem{Type: RouteType, Name: t.table, Message: reason})
	}
	message, err := listener(l.Name, bind, t)
	if err != nil {
		return nil, err
	}
	r, err := newResource(ListenerType, l.Name, message)
	if err != nil || l.Inbound == nil {
		return []Resource{r}, err
	}
	inbound, err := inboundResources(t.table, l.Inbound)
	return append(inbound, r), err
}

func find(m *ir.Mesh, n *Node, l *NodeListener) (target, error) {
	switch {
	case l.Outbound != nil:
		return findOutbound(m, n, l.Outbound)
	case l.Inbound != nil:
		return findInbound(m, l.Inbound)
	}
	for _, g := range m.Gateways {
		if g.Name == l.Gateway.Name && g.Port == l.Gateway.Port {
			s := m.Service(g.Host)
			return target{s, s.Port(g.Port), g.Table, corev3.TrafficDirection_OUTBOUND}, nil
		}
	}
	return target{}, fmt.Errorf("no MetaRouter serves port %d of gateway %s", l.Gateway.Port, l.Gateway.Name)
}

func findOutbound(m *ir.Mesh, n *Node, want *ServicePort) (target, error) {
	s, p, err := servicePort(m, want)
	if err != nil {
		return target{}, err
	}
	if !s.VisibleFrom(n.Namespace) {
		return target{}, fmt.Errorf("service %q is not exported to namespace %q", s.Host, n.Namespace)
	}
	return target{s, p, p.TableFor(n.Namespace), corev3.TrafficDirection_OUTBOUND}, nil
}

// findInbound: the name says all that the table and the cluster hold, so that
// equal names of two proxies mean equal content.
func findInbound(m *ir.Mesh, want *ServicePort) (target, error) {
	s, p, err := servicePort(m, want)
	if err != nil {
		return target{}, err
	}
	endpoint, err := netip.ParseAddrPort(want.Endpoint)
	if err != nil {
		return target{}, fmt.Errorf("endpoint: %w", err)
	}
	name := fmt.Sprintf("inbound|%d|%s|%s", p.Number, endpoint, s.Host)
	return target{s, p, name, corev3.TrafficDirection_INBOUND}, nil
}

func servicePort(m *ir.Mesh, want *ServicePort) (*ir.Service, *ir.Port, error) {
	s := m.Service(want.Host)
	if s == nil {
		return nil, nil, fmt.Errorf("there is no managed service %q", want.Host)
	}
	p := s.Port(want.Port)
	if p == nil {
		return nil, nil, fmt.Errorf("service %q has no managed port %d", want.Host, want.Port)
	}
	return s, p, nil
}

func listener(name string, bind netip.AddrPort, t target) (*listenerv3.Listener, error) {
	first, _, _ := strings.Cut(t.service.Host, ".")
	filter := &proxyv1.MetaProtocol{
		Protocol:        t.port.Codec,
		RouteConfigName: t.table,
		Destination:     &proxyv1.Destination{Host: t.service.Host, Name: first, Namespace: t.service.Namespace},
		Limits:          limits(t.service.Limits),
		Sharing:         sharing(t.service.Sharing),
	}
	if t.port.IdleTimeout > 0 {
		filter.IdleTimeout = durationpb.New(t.port.IdleTimeout)
	}
	config, err := anypb.New(filter)
	if err != nil {
		return nil, fmt.Errorf("xds: listener %q: %w", name, err)
	}
	return &listenerv3.Listener{
		Name:             name,
		Address:          socketAddress(bind.Addr().String(), uint32(bind.Port())),
		TrafficDirection: t.direction,
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: proxyv1.FilterName, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: config},
		}}}},
	}, nil
}

func sharing(s ir.Sharing) proxyv1.Sharing {
	switch s {
	case ir.SharingLeased:
		return proxyv1.Sharing_LEASED
	case ir.SharingShared:
		return proxyv1.Sharing_SHARED
	default:
		return proxyv1.Sharing_PROTOCOL
	}
}

// inboundResources are one route to the one server. Rules ran at the client.
func inboundResources(name string, in *ServicePort) ([]Resource, error) {
	endpoint, err := netip.ParseAddrPort(in.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	local := &ir.Cluster{Name: name, Endpoints: []ir.Endpoint{{Address: endpoint.Addr().String(), Port: uint32(endpoint.Port()), Weight: 1}}}
	c, err := newResource(ClusterType, name, &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(inboundConnectTimeout),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       loadAssignment(local),
	})
	if err != nil {
		return nil, err
	}
	table := &ir.RouteTable{Name: name, Routes: []ir.Route{{Name: "inbound", Clusters: []ir.WeightedRef{{Name: name, Weight: 100}}}}}
	message, err := routeConfiguration(table)
	if err != nil {
		return nil, err
	}
	r, err := newResource(RouteType, name, message)
	return []Resource{c, r}, err
}
