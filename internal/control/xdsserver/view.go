// Package xdsserver serves proxies over delta ADS. It knows bytes, versions
// and streams, and nothing of what the resources mean beyond the order in
// which their types depend on each other.
//
// It is our own instead of go-control-plane's server because that pushes types
// as they come: a cluster that goes away would be taken from a proxy before
// the routes that no longer name it have arrived, and requests between the two
// would be lost.
package xdsserver

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// Resource is one message with the version of its content.
type Resource struct {
	Version string
	Body    *anypb.Any
}

// Resources are by type URL and name.
type Resources map[string]map[string]Resource

// Add adds a resource, the type URL being that of its body.
func (r Resources) Add(name, version string, body *anypb.Any) {
	if r[body.TypeUrl] == nil {
		r[body.TypeUrl] = map[string]Resource{}
	}
	r[body.TypeUrl][name] = Resource{Version: version, Body: body}
}

// ForProxy is what one proxy sees beside what is shared.
type ForProxy struct {
	// Own are resources of this proxy alone.
	Own Resources
	// Withheld are names of shared resources that the proxy cannot take, with
	// the reason: it is neither sent them nor told that they are gone.
	Withheld map[string]string
	// Problems are why it is not served something that it asked for.
	Problems []Problem
}

// Problem is why a proxy is not served a resource.
type Problem struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// View is everything that is served at one time. It is immutable once it is
// published.
type View struct {
	// Version names the view in responses and status.
	Version string
	// Shared is what any proxy may subscribe to, by name.
	Shared Resources
	// For returns what is made for one proxy: a pure function. An error
	// closes the proxy's stream.
	For func(*corev3.Node) (ForProxy, error)
}

// typeOrder is the order in which types are sent: what others name goes first.
// What goes away is sent the other way round.
type typeOrder struct {
	types []string
	// users lists, by type, the types that name it.
	users map[string][]string
	// needs lists, by type, the types that it names.
	needs map[string][]string
	// wildcard is the type that proxies subscribe to as a whole.
	wildcard string
}

func newTypeOrder(clusters, endpoints, routes, listeners string) typeOrder {
	return typeOrder{
		types:    []string{clusters, endpoints, routes, listeners},
		users:    map[string][]string{clusters: {routes}, endpoints: {routes}, routes: {listeners}},
		needs:    map[string][]string{routes: {clusters, endpoints}, listeners: {routes}},
		wildcard: listeners,
	}
}
