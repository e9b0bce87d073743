package xdsclient

import (
	"errors"
	"fmt"
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/aeraki-mesh/aeraki/internal/cluster"
	"github.com/aeraki-mesh/aeraki/internal/cluster/dns"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// clusterResource is a Cluster. Its endpoints come by one of three ways.
type clusterResource struct {
	spec cluster.Spec // Hosts: by DNS
	eds  string       // by EDS, under this name
	// static: known here, unless one of the others says otherwise.
	static []cluster.Endpoint
}

func (c *clusterResource) dns() bool { return len(c.spec.Hosts) > 0 }

func (p *parser) cluster(name string, b []byte) (*clusterResource, error) {
	m := &clusterv3.Cluster{}
	if err := unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.GetName() != name || name == "" {
		return nil, fmt.Errorf("name: is %q inside", m.GetName())
	}
	c := &clusterResource{}
	var err error
	if c.spec.ConnectTimeout, err = duration("connect_timeout", m.GetConnectTimeout()); err != nil {
		return nil, err
	}
	if err = c.balance(m); err != nil {
		return nil, err
	}
	return c, c.discover(m)
}

func (c *clusterResource) balance(m *clusterv3.Cluster) error {
	switch m.GetLbPolicy() {
	case clusterv3.Cluster_ROUND_ROBIN:
		c.spec.Policy = engine.RoundRobin
	case clusterv3.Cluster_LEAST_REQUEST:
		c.spec.Policy = engine.LeastRequest
	case clusterv3.Cluster_RANDOM:
		c.spec.Policy = engine.Random
	case clusterv3.Cluster_RING_HASH:
		c.spec.Policy = engine.RingHash
	default:
		return fmt.Errorf("lb_policy: %s is not implemented by this proxy", m.GetLbPolicy())
	}
	r := m.GetRingHashLbConfig()
	if r == nil {
		return nil
	}
	if h := r.GetHashFunction(); h != clusterv3.Cluster_RingHashLbConfig_XX_HASH {
		return fmt.Errorf("ring_hash_lb_config.hash_function: %s is not implemented by this proxy", h)
	}
	lo, hi := uint64(cluster.DefaultMinRing), uint64(cluster.DefaultMaxRing)
	if v := r.GetMinimumRingSize(); v != nil {
		lo = v.GetValue()
		hi = max(hi, lo)
	}
	if v := r.GetMaximumRingSize(); v != nil {
		hi = v.GetValue()
	}
	if lo < 1 || lo > hi || hi > cluster.MaxRing {
		return fmt.Errorf("ring_hash_lb_config: sizes from %d to %d are not between 1 and %d", lo, hi, cluster.MaxRing)
	}
	c.spec.MinRing, c.spec.MaxRing = int(lo), int(hi)
	return nil
}

// discover reads where the endpoints come from.
func (c *clusterResource) discover(m *clusterv3.Cluster) error {
	kind := m.GetType()
	if m.GetEdsClusterConfig() != nil && kind != clusterv3.Cluster_EDS {
		return fmt.Errorf("eds_cluster_config: goes with type EDS, not %s", kind)
	}
	if m.GetLoadAssignment() != nil && kind == clusterv3.Cluster_EDS {
		return errors.New("load_assignment: goes not with type EDS")
	}
	if kind != clusterv3.Cluster_STRICT_DNS && (m.GetRespectDnsTtl() || m.GetDnsLookupFamily() != clusterv3.Cluster_AUTO) {
		return fmt.Errorf("dns_lookup_family, respect_dns_ttl: go with type STRICT_DNS, not %s", kind)
	}
	switch kind {
	case clusterv3.Cluster_EDS:
		return c.discoverEDS(m)
	case clusterv3.Cluster_STRICT_DNS:
		return c.discoverDNS(m)
	case clusterv3.Cluster_STATIC:
		var err error
		if c.static, err = addresses(m.GetLoadAssignment()); err != nil {
			return fmt.Errorf("load_assignment.%w", err)
		}
		return nil
	}
	return fmt.Errorf("type: %s is not implemented by this proxy", kind)
}

func (c *clusterResource) discoverEDS(m *clusterv3.Cluster) error {
	source := m.GetEdsClusterConfig().GetEdsConfig()
	if source.GetAds() == nil {
		return errors.New("eds_cluster_config.eds_config.ads: is missing, endpoints come over ADS")
	}
	if v := source.GetResourceApiVersion(); v != corev3.ApiVersion_V3 {
		return fmt.Errorf("eds_cluster_config.eds_config.resource_api_version: is %s, not V3", v)
	}
	if c.eds = m.GetEdsClusterConfig().GetServiceName(); c.eds == "" {
		c.eds = m.GetName()
	}
	return nil
}

// discoverDNS: with the family AUTO, which Envoy reads as "IPv6 first", IPv4 is
// preferred: a cluster in which IPv6 addresses resolve but lead nowhere is the
// more frequent one. TTLs are respected always.
func (c *clusterResource) discoverDNS(m *clusterv3.Cluster) error {
	switch m.GetDnsLookupFamily() {
	case clusterv3.Cluster_V4_ONLY:
		c.spec.Family = dns.Only4
	case clusterv3.Cluster_V6_ONLY:
		c.spec.Family = dns.Only6
	case clusterv3.Cluster_ALL:
		c.spec.Family = dns.Both
	}
	return eachEndpoint(m.GetLoadAssignment(), "load_assignment.", func(e *endpointv3.LbEndpoint, weight uint32) error {
		host, port, err := socketAddress(e.GetEndpoint().GetAddress())
		if err == nil && port == 0 {
			err = errors.New("address.socket_address.port_value: is 0")
		}
		if err == nil && isHealthy(e) {
			c.spec.Hosts = append(c.spec.Hosts, cluster.Host{Name: host, Port: port, Weight: weight})
		}
		return err
	})
}

// endpoints reads what EDS serves.
func (p *parser) endpoints(name string, b []byte) ([]cluster.Endpoint, error) {
	m := &endpointv3.ClusterLoadAssignment{}
	if err := unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.GetClusterName() != name || name == "" {
		return nil, fmt.Errorf("cluster_name: is %q inside", m.GetClusterName())
	}
	return addresses(m)
}

// addresses returns the endpoints that may be used.
func addresses(m *endpointv3.ClusterLoadAssignment) ([]cluster.Endpoint, error) {
	var out []cluster.Endpoint
	err := eachEndpoint(m, "", func(e *endpointv3.LbEndpoint, weight uint32) error {
		var a netip.AddrPort
		a, err := ipAddress(e.GetEndpoint().GetAddress())
		if err == nil && a.Port() == 0 {
			err = errors.New("address.socket_address.port_value: is 0")
		}
		if err == nil && isHealthy(e) {
			out = append(out, cluster.Endpoint{Addr: a, Weight: weight})
		}
		return err
	})
	return out, err
}

func isHealthy(e *endpointv3.LbEndpoint) bool {
	return e.GetHealthStatus() == corev3.HealthStatus_UNKNOWN || e.GetHealthStatus() == corev3.HealthStatus_HEALTHY
}

// eachEndpoint visits all endpoints of all localities.
func eachEndpoint(m *endpointv3.ClusterLoadAssignment, at string, visit func(e *endpointv3.LbEndpoint, weight uint32) error) error {
	for i, locality := range m.GetEndpoints() {
		for j, e := range locality.GetLbEndpoints() {
			path := fmt.Sprintf("%sendpoints[%d].lb_endpoints[%d]", at, i, j)
			weight := uint32(1)
			if w := e.GetLoadBalancingWeight(); w != nil {
				weight = w.GetValue()
			}
			if weight == 0 {
				return fmt.Errorf("%s.load_balancing_weight: is 0", path)
			}
			if e.GetHealthStatus() == corev3.HealthStatus_DEGRADED {
				return fmt.Errorf("%s.health_status: DEGRADED is not implemented by this proxy", path)
			}
			if err := visit(e, weight); err != nil {
				return fmt.Errorf("%s.endpoint.%w", path, err)
			}
		}
	}
	return nil
}
