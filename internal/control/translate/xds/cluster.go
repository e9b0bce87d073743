package xds

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// cluster: static endpoints come over EDS, so that a change of them leaves the
// cluster as it is; names are resolved by the proxy, again when their TTL ends.
func cluster(c *ir.Cluster) *clusterv3.Cluster {
	out := &clusterv3.Cluster{Name: c.Name, ConnectTimeout: durationpb.New(c.ConnectTimeout), LbPolicy: lbPolicy(c.LoadBalancer)}
	if c.MinRing > 0 {
		out.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{MinimumRingSize: wrapperspb.UInt64(c.MinRing)}}
	}
	if c.Discovery == ir.DNS {
		out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		//lint:ignore SA1019 the extension that replaces it says nothing more
		out.RespectDnsTtl = true
		out.LoadAssignment = loadAssignment(c)
		return out
	}
	out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	out.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}}
	return out
}

func lbPolicy(lb ir.LoadBalancer) clusterv3.Cluster_LbPolicy {
	switch lb {
	case ir.RoundRobin:
		return clusterv3.Cluster_ROUND_ROBIN
	case ir.Random:
		return clusterv3.Cluster_RANDOM
	case ir.RingHash:
		return clusterv3.Cluster_RING_HASH
	default:
		return clusterv3.Cluster_LEAST_REQUEST
	}
}

func loadAssignment(c *ir.Cluster) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: c.Name}
	if len(c.Endpoints) == 0 {
		return out
	}
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, e := range c.Endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier:      &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socketAddress(e.Address, e.Port)}},
			LoadBalancingWeight: wrapperspb.UInt32(e.Weight),
		})
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{locality}
	return out
}

func socketAddress(address string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
