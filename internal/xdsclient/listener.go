package xdsclient

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// maxMessage bounds the limit that a configuration may set for messages: 1 GiB.
const maxMessage = 1 << 30

// listener is a Listener and the MetaProtocol filter in it.
type listener struct {
	name        string
	address     netip.AddrPort
	inbound     bool
	protocol    codec.Protocol
	routes      string // name of its route configuration
	destination engine.Destination
	limits      engine.Limits
	sharing     engine.Sharing
	idleTimeout time.Duration
	hash        string // of all the above
}

func (p *parser) listener(name string, b []byte) (*listener, error) {
	m := &listenerv3.Listener{}
	if err := unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.GetName() != name || name == "" {
		return nil, fmt.Errorf("name: is %q inside", m.GetName())
	}
	address, err := ipAddress(m.GetAddress())
	if err != nil {
		return nil, err
	}
	l := &listener{name: name, address: address}
	switch m.GetTrafficDirection() {
	case corev3.TrafficDirection_INBOUND:
		l.inbound = true
	case corev3.TrafficDirection_OUTBOUND:
	default:
		return nil, errors.New("traffic_direction: is neither INBOUND nor OUTBOUND")
	}
	if n := len(m.GetFilterChains()); n != 1 {
		return nil, fmt.Errorf("filter_chains: there are %d, this proxy takes one", n)
	}
	filters := m.GetFilterChains()[0].GetFilters()
	if len(filters) != 1 {
		return nil, fmt.Errorf("filter_chains[0].filters: there are %d, this proxy takes one", len(filters))
	}
	if err := p.metaProtocol(l, filters[0]); err != nil {
		return nil, fmt.Errorf("filter_chains[0].filters[0].%w", err)
	}
	l.hash = hash(fmt.Appendf(nil, "%q %s %t %q %q %q %v %v %d", l.name, l.address, l.inbound,
		l.protocol.Traits().Name, l.routes, l.destination, l.limits, l.sharing, l.idleTimeout))
	return l, nil
}

func (p *parser) metaProtocol(l *listener, f *listenerv3.Filter) error {
	if f.GetName() != proxyv1.FilterName {
		return fmt.Errorf("name: %q is not a filter of this proxy", f.GetName())
	}
	m := &proxyv1.MetaProtocol{}
	if err := f.GetTypedConfig().UnmarshalTo(m); err != nil {
		return fmt.Errorf("typed_config: %w", err)
	}
	l.protocol = p.protocols[m.GetProtocol()]
	if l.protocol == nil {
		return fmt.Errorf("typed_config.protocol: %q is not one of %s", m.GetProtocol(),
			strings.Join(slices.Sorted(maps.Keys(p.protocols)), ", "))
	}
	if err := engine.Supports(l.protocol); err != nil {
		return fmt.Errorf("typed_config.protocol: %w", err)
	}
	if l.routes = m.GetRouteConfigName(); l.routes == "" {
		return errors.New("typed_config.route_config_name: is empty")
	}
	d := m.GetDestination()
	l.destination = engine.Destination{Host: d.GetHost(), Name: d.GetName(), Namespace: d.GetNamespace()}
	switch m.GetSharing() {
	case proxyv1.Sharing_LEASED:
		l.sharing = engine.Leased
	case proxyv1.Sharing_SHARED:
		l.sharing = engine.SharedByID
	}
	var err error
	if l.idleTimeout, err = duration("idle_timeout", m.GetIdleTimeout()); err == nil {
		err = l.setLimits(m.GetLimits())
	}
	if err != nil {
		return fmt.Errorf("typed_config.%w", err)
	}
	return nil
}

func (l *listener) setLimits(m *proxyv1.Limits) error {
	l.limits = engine.DefaultLimits()
	if n := m.GetMaxMessageBytes(); n > maxMessage {
		return fmt.Errorf("limits.max_message_bytes: %d is over %d", n, maxMessage)
	} else if n > 0 {
		l.limits.Codec.Message = int64(n)
	}
	for _, f := range []struct {
		limit *int
		value uint32
		name  string
	}{
		{&l.limits.Codec.Properties, m.GetMaxProperties(), "max_properties"},
		{&l.limits.Connections, m.GetMaxConnections(), "max_connections"},
		{&l.limits.RequestsPerConnection, m.GetMaxRequestsPerConnection(), "max_requests_per_connection"},
		{&l.limits.Requests, m.GetMaxRequests(), "max_requests"},
	} {
		if f.value > 1<<31-1 {
			return fmt.Errorf("limits.%s: %d is over %d", f.name, f.value, 1<<31-1)
		}
		if f.value > 0 {
			*f.limit = int(f.value)
		}
	}
	return nil
}
