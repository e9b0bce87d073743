// Package proxyv1 is the contract between the control plane and the engine:
// the MetaProtocol network filter and its RouteConfiguration. Clusters,
// endpoints and listeners are Envoy's own messages. proxy.pb.go is generated
// from proxy.proto by "make generate".
package proxyv1

// RouteConfigurationType is the type URL of the RouteConfiguration on ADS.
const RouteConfigurationType = "type.googleapis.com/aeraki.proxy.v1.RouteConfiguration"

// FilterName is the name of the MetaProtocol filter in a listener's chain.
const FilterName = "aeraki.meta_protocol"
