// Package v1alpha1 holds the resources of metaprotocol.aeraki.io/v1alpha1:
// MetaRouter says how the requests of a service are routed, ApplicationProtocol
// tells the control plane of a protocol that it was not built with.
//
// All fields of upstream Aeraki are here with their meaning unchanged; what is
// added says so. Decoding is strict: a field that is not here is an error.
package v1alpha1

// GroupVersion is the apiVersion of the resources of this package.
const GroupVersion = "metaprotocol.aeraki.io/v1alpha1"
