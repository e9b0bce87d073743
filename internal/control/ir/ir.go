// Package ir is what resources mean: services, routes and clusters as plain
// data, without Kubernetes, Istio or Envoy. It imports nothing of ours. Every
// list is sorted as its comment says, so that equal input gives equal bytes;
// who has a Mesh does not change it.
package ir

import (
	"slices"
	"strings"
	"time"
)

// Mesh is everything that is managed.
type Mesh struct {
	// Services by host.
	Services []Service `json:"services,omitempty"`
	// RouteTables by name.
	RouteTables []RouteTable `json:"routeTables,omitempty"`
	// Clusters by name.
	Clusters []Cluster `json:"clusters,omitempty"`
	// Gateways by name and port.
	Gateways []Gateway `json:"gateways,omitempty"`
}

// Service is a host with the ports that are managed.
type Service struct {
	Host      string `json:"host"`
	Namespace string `json:"namespace"`
	// ExportTo lists the client namespaces that see it; "*": all.
	ExportTo []string `json:"exportTo"`
	Sharing  Sharing  `json:"sharing,omitempty"`
	Limits   Limits   `json:"limits,omitzero"`
	// Ports by number.
	Ports []Port `json:"ports"`
}

// VisibleFrom reports whether clients of the namespace see the service.
func (s *Service) VisibleFrom(namespace string) bool {
	return slices.Contains(s.ExportTo, "*") || slices.Contains(s.ExportTo, namespace)
}

// Port returns the port with the number, nil if there is none.
func (s *Service) Port(number uint32) *Port {
	i := slices.IndexFunc(s.Ports, func(p Port) bool { return p.Number == number })
	if i < 0 {
		return nil
	}
	return &s.Ports[i]
}

// Service returns the service with the host, nil if there is none.
func (m *Mesh) Service(host string) *Service {
	i, ok := slices.BinarySearchFunc(m.Services, host, func(s Service, h string) int { return strings.Compare(s.Host, h) })
	if !ok {
		return nil
	}
	return &m.Services[i]
}

// Sharing says whether clients may share an upstream connection.
type Sharing string

// The values: as the protocol's servers work, one client at a time, or shared.
const (
	SharingProtocol Sharing = ""
	SharingLeased   Sharing = "leased"
	SharingShared   Sharing = "shared"
)

// Port is a managed port of a service.
type Port struct {
	Number uint32 `json:"number"`
	Name   string `json:"name"`
	// Protocol is the name in port names, Codec that of the codec: the same
	// unless an ApplicationProtocol says otherwise.
	Protocol string `json:"protocol"`
	Codec    string `json:"codec"`
	// IdleTimeout closes a downstream connection that has had no request for
	// this long; 0: never.
	IdleTimeout time.Duration `json:"idleTimeout,omitempty"`
	// Table is the route table of clients whose namespace is not in Tables.
	Table string `json:"table"`
	// Tables are by namespace.
	Tables []NamespaceTable `json:"tables,omitempty"`
}

// NamespaceTable is the route table of the clients of one namespace.
type NamespaceTable struct {
	Namespace string `json:"namespace"`
	Table     string `json:"table"`
}

// TableFor returns the name of the route table of clients of the namespace.
func (p *Port) TableFor(namespace string) string {
	for _, t := range p.Tables {
		if t.Namespace == namespace {
			return t.Table
		}
	}
	return p.Table
}

// Gateway is a port of a gateway that one route table serves.
type Gateway struct {
	// Name is namespace/name.
	Name  string `json:"name"`
	Port  uint32 `json:"port"`
	Table string `json:"table"`
	// Host and Codec are those of the service that the table is for.
	Host  string `json:"host"`
	Codec string `json:"codec"`
}

// RouteTable is the routes of one service port for some of its clients.
type RouteTable struct {
	Name string `json:"name"`
	// Router is the MetaRouter that it was made of, as namespace/name; empty
	// for the default table.
	Router string `json:"router,omitempty"`
	// Routes in the order in which they are tried.
	Routes []Route `json:"routes"`
}

// Route sends what it matches to clusters.
type Route struct {
	Name string `json:"name"`
	// Matches are alternatives; none: everything matches.
	Matches  []Match         `json:"matches,omitempty"`
	Clusters []WeightedRef   `json:"clusters"`
	Timeout  time.Duration   `json:"timeout,omitempty"` // 0: none
	Hash     []Hash          `json:"hash,omitempty"`
	Mirror   *Mirror         `json:"mirror,omitempty"`
	Mutation *MutationFilter `json:"mutation,omitempty"`
}

// Match: all of it must hold.
type Match struct {
	// Properties by name.
	Properties []PropertyMatch `json:"properties,omitempty"`
	Source     *SourceMatch    `json:"source,omitempty"`
}

// MatchKind says how a property is compared.
type MatchKind string

// The kinds of comparison.
const (
	Exact   MatchKind = "exact"
	Prefix  MatchKind = "prefix"
	Suffix  MatchKind = "suffix"
	Regex   MatchKind = "regex"
	Present MatchKind = "present"
	Absent  MatchKind = "absent"
	Range   MatchKind = "range"
)

// PropertyMatch compares one property.
type PropertyMatch struct {
	Property string    `json:"property"`
	Kind     MatchKind `json:"kind"`
	// Value of exact, prefix, suffix and regex.
	Value string `json:"value,omitempty"`
	// Start and End of range; End is not part of it.
	Start  int64 `json:"start,omitempty"`
	End    int64 `json:"end,omitempty"`
	Invert bool  `json:"invert,omitempty"`
}

// SourceMatch holds if the calling workload has the labels and the namespace.
type SourceMatch struct {
	Labels    map[string]string `json:"labels,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
}

// WeightedRef is a cluster by name and its share.
type WeightedRef struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
}

// Hash names one thing to hash: a property, or the source address.
type Hash struct {
	Property      string `json:"property,omitempty"`
	SourceAddress bool   `json:"sourceAddress,omitempty"`
}

// Cluster is a set of endpoints of one service port.
type Cluster struct {
	// Name is outbound|port|subset|host, as Istio's.
	Name         string       `json:"name"`
	Discovery    Discovery    `json:"discovery"`
	LoadBalancer LoadBalancer `json:"loadBalancer"`
	// MinRing is the least number of points of a hash ring; 0: the proxy's.
	MinRing        uint64        `json:"minRing,omitempty"`
	ConnectTimeout time.Duration `json:"connectTimeout"`
	// Endpoints by address and port.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// Discovery says what the addresses of endpoints are.
type Discovery string

// Static: IP addresses. DNS: names, which proxies resolve again by their TTL.
const (
	Static Discovery = "static"
	DNS    Discovery = "dns"
)

// LoadBalancer chooses among endpoints.
type LoadBalancer string

// The load balancers.
const (
	RoundRobin   LoadBalancer = "roundRobin"
	LeastRequest LoadBalancer = "leastRequest"
	Random       LoadBalancer = "random"
	RingHash     LoadBalancer = "ringHash"
)

// Endpoint is an address that serves the cluster's port.
type Endpoint struct {
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	// Weight is at least 1.
	Weight uint32 `json:"weight"`
}

// ClusterName returns the name of an outbound cluster.
func ClusterName(port uint32, subset, host string) string {
	return "outbound|" + itoa(port) + "|" + subset + "|" + host
}

// TableName returns the name of the route table of a service port.
func TableName(host string, port uint32) string { return host + "_" + itoa(port) }
