// Package xds translates the intermediate representation into what proxies are
// served: Envoy's listeners, clusters and endpoints, and our own route
// configurations. It is a pure function of the mesh and of what a proxy says of
// itself; equal input gives equal bytes.
package xds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
)

// Type URLs of what is served.
const (
	ListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	RouteType    = proxyv1.RouteConfigurationType
	ClusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
)

// Resource is one message, ready to be sent.
type Resource struct {
	Type, Name string
	// Version is a hash of Body: equal content, equal version, in every
	// process and after every restart of the same build.
	Version string
	Body    []byte
	// Message is what Body was made of, for those who show it.
	Message proto.Message
	// Filters that a proxy must have to be sent it.
	Filters []string
}

func newResource(typeURL, name string, m proto.Message) (Resource, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return Resource{}, fmt.Errorf("xds: %s %q: %w", typeURL, name, err)
	}
	sum := sha256.Sum256(body)
	return Resource{Type: typeURL, Name: name, Version: hex.EncodeToString(sum[:8]), Body: body, Message: m}, nil
}
