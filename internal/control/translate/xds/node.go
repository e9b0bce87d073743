package xds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/aeraki-mesh/aeraki/internal/control/plan"
)

// Node is what a proxy says of itself in the metadata of its xDS node.
type Node struct {
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
	Workload  string            `json:"workload"`
	// Protocols and Filters are the names of what the proxy was built with.
	Protocols []string       `json:"protocols"`
	Filters   []string       `json:"filters"`
	Listeners []NodeListener `json:"listeners"`
}

// NodeListener is an address that the proxy listens on, and for what: exactly
// one of Outbound, Inbound and Gateway.
type NodeListener struct {
	Name     string          `json:"name"`
	Bind     string          `json:"bind"` // IP address and port
	Outbound *ServicePort    `json:"outbound,omitempty"`
	Inbound  *ServicePort    `json:"inbound,omitempty"`
	Gateway  *GatewayService `json:"gateway,omitempty"`
}

// ServicePort is a port of a service. Endpoint, of inbound ones, is the address
// and port of the server beside the proxy.
type ServicePort struct {
	Host     string `json:"host"`
	Port     uint32 `json:"port"`
	Endpoint string `json:"endpoint,omitempty"`
}

// GatewayService is a port of a gateway; Name is namespace/name.
type GatewayService struct {
	Name string `json:"name"`
	Port uint32 `json:"port"`
}

// ParseNode reads the node's metadata. Keys that it does not know are other
// people's; within listeners they are errors.
func ParseNode(n *corev3.Node) (*Node, error) {
	out := &Node{}
	data, err := n.GetMetadata().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("node %q: metadata: %w", n.GetId(), err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return nil, fmt.Errorf("node %q: metadata: %w", n.GetId(), err)
	}
	if raw := n.GetMetadata().GetFields()["listeners"]; raw != nil {
		data, err := raw.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("node %q: listeners: %w", n.GetId(), err)
		}
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		out.Listeners = nil
		if err := strict.Decode(&out.Listeners); err != nil {
			return nil, fmt.Errorf("node %q: listeners: %w", n.GetId(), err)
		}
	}
	return out, nil
}

func (n *Node) capabilities() plan.Capabilities {
	return plan.Capabilities{Protocols: n.Protocols, Filters: n.Filters}
}

func (l *NodeListener) validate() (netip.AddrPort, error) {
	bind, err := netip.ParseAddrPort(l.Bind)
	if err != nil {
		return bind, fmt.Errorf("listener %q: bind: %w", l.Name, err)
	}
	purposes := 0
	for _, set := range []bool{l.Outbound != nil, l.Inbound != nil, l.Gateway != nil} {
		if set {
			purposes++
		}
	}
	if l.Name == "" || purposes != 1 {
		return bind, fmt.Errorf("listener %q: it needs a name and one of outbound, inbound and gateway", l.Name)
	}
	return bind, nil
}
