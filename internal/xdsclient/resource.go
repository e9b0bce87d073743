package xdsclient

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// kind is a type of resource. The order is that in which their subscriptions
// are sent.
type kind int

const (
	clusterType kind = iota
	endpointType
	listenerType
	routeType
	kinds
)

var kindNames = [kinds]string{"Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration"}

// String is the message's short name.
func (k kind) String() string { return kindNames[k] }

// url is the type URL on ADS.
func (k kind) url() string {
	return [kinds]string{
		"type.googleapis.com/envoy.config.cluster.v3.Cluster",
		"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
		"type.googleapis.com/envoy.config.listener.v3.Listener",
		proxyv1.RouteConfigurationType,
	}[k]
}

func kindOf(url string) (kind, bool) {
	for k := range kinds {
		if k.url() == url {
			return k, true
		}
	}
	return 0, false
}

// parser turns messages into plain structs. What it returns is valid; the code
// behind it checks nothing again. The parse functions keep no part of b.
type parser struct {
	protocols map[string]codec.Protocol
	filters   []filter.Filter
	source    route.Source
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// variant is what a route configuration is compiled for: the same one may
// serve listeners of which some know who calls.
type variant struct {
	protocol string
	known    bool // the caller is this proxy's workload
}

// routeResource is a route configuration that is well-formed. It is kept as
// bytes, because a listener that comes later may need another variant; decoded
// it would take several times the memory.
type routeResource struct {
	raw  []byte // deterministic
	hash string
}

func (p *parser) routes(name string, b []byte) (routeResource, error) {
	m := &proxyv1.RouteConfiguration{}
	if err := unmarshal(b, m); err != nil {
		return routeResource{}, err
	}
	if m.GetName() != name {
		return routeResource{}, fmt.Errorf("name: is %q inside", m.GetName())
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return routeResource{}, err
	}
	return routeResource{raw: raw, hash: hash(raw)}, nil
}

// compile makes the table of one variant.
func (p *parser) compile(r *routeResource, v variant) (*route.Table, error) {
	m := &proxyv1.RouteConfiguration{}
	if err := proto.Unmarshal(r.raw, m); err != nil {
		return nil, err
	}
	o := route.Options{Protocol: p.protocols[v.protocol], Filters: p.filters}
	if v.known {
		o.Source = p.source
		o.Source.Known = true
	}
	return route.Compile(m, o)
}

// socketAddress reads a TCP address; the host may be a name.
func socketAddress(a *corev3.Address) (host string, port uint16, err error) {
	s := a.GetSocketAddress()
	switch {
	case s == nil:
		return "", 0, errors.New("address.socket_address: is missing")
	case s.GetProtocol() != corev3.SocketAddress_TCP:
		return "", 0, fmt.Errorf("address.socket_address.protocol: %s is not implemented by this proxy", s.GetProtocol())
	case s.GetAddress() == "":
		return "", 0, errors.New("address.socket_address.address: is empty")
	case s.GetPortValue() > 65535:
		return "", 0, fmt.Errorf("address.socket_address.port_value: %d is over 65535", s.GetPortValue())
	}
	return s.GetAddress(), uint16(s.GetPortValue()), nil
}

// ipAddress is socketAddress where names are not resolved.
func ipAddress(a *corev3.Address) (netip.AddrPort, error) {
	host, port, err := socketAddress(a)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address.socket_address.address: %q is not an IP address", host)
	}
	return netip.AddrPortFrom(ip.Unmap(), port), nil
}

// duration reads a duration that is not negative; unset is 0.
func duration(field string, d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, fmt.Errorf("%s: %w", field, err)
	}
	if v := d.AsDuration(); v >= 0 {
		return v, nil
	}
	return 0, fmt.Errorf("%s: %s is negative", field, d.AsDuration())
}

// oneLine keeps an error's text readable in a log and a NACK.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
