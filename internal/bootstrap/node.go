package bootstrap

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// UserAgent is the name by which the program announces itself.
const UserAgent = "aeraki-proxy"

// XDSNode returns what the proxy says of itself on ADS. Its metadata is what
// the control plane decides on:
//
//	namespace, workload: strings
//	labels:              {name: value}
//	protocols, filters:  names of what this proxy has, as given here
//	listeners:           as in the file: name, bind, and outbound, inbound or gateway
func (c *Config) XDSNode(protocols, filters []string) (*corev3.Node, error) {
	labels := make(map[string]any, len(c.Node.Labels))
	for k, v := range c.Node.Labels {
		labels[k] = v
	}
	listeners := make([]any, len(c.Listeners))
	for i := range c.Listeners {
		listeners[i] = c.Listeners[i].metadata()
	}
	metadata, err := structpb.NewStruct(map[string]any{
		"namespace": c.Node.Namespace,
		"workload":  c.Node.Workload,
		"labels":    labels,
		"protocols": list(protocols),
		"filters":   list(filters),
		"listeners": listeners,
	})
	if err != nil {
		return nil, fmt.Errorf("node metadata: %w", err)
	}
	return &corev3.Node{Id: c.Node.ID, Cluster: c.Node.Workload, UserAgentName: UserAgent, Metadata: metadata}, nil
}

func (l *Listener) metadata() map[string]any {
	m := map[string]any{"name": l.Name, "bind": l.Bind}
	switch {
	case l.Outbound != nil:
		m["outbound"] = map[string]any{"host": l.Outbound.Host, "port": l.Outbound.Port}
	case l.Inbound != nil:
		m["inbound"] = map[string]any{"host": l.Inbound.Host, "port": l.Inbound.Port, "endpoint": l.Inbound.Endpoint}
	case l.Gateway != nil:
		m["gateway"] = map[string]any{"name": l.Gateway.Name, "port": l.Gateway.Port}
	}
	return m
}

func list(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}
