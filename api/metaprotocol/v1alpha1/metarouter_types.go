package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetaRouter routes the requests of one service.
type MetaRouter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              MetaRouterSpec `json:"spec"`
	Status            Status         `json:"status,omitempty"`
}

// MetaRouterSpec is what the user wants.
type MetaRouterSpec struct {
	// Hosts is the service: exactly one fully qualified name.
	Hosts []string `json:"hosts"`
	// Gateways are the gateways that serve the routes, as [namespace/]name.
	// Without any, the routes are for the clients' own proxies; the name
	// "mesh" adds these to a list of gateways.
	Gateways []string `json:"gateways,omitempty"`
	// ExportTo narrows the client namespaces that the router governs: names,
	// "." for the router's own, "*" for all. Without it: all that the router's
	// own namespace lets it govern.
	ExportTo []string `json:"exportTo,omitempty"`
	// Routes are tried in order; the first that matches is taken. A request
	// that none matches is answered with the protocol's "no route" reply.
	Routes []MetaRoute `json:"routes,omitempty"`
	// LocalRateLimit is upstream's; not supported by this version.
	LocalRateLimit *LocalRateLimit `json:"localRateLimit,omitempty"`
	// GlobalRateLimit is upstream's; not supported by this version.
	GlobalRateLimit *GlobalRateLimit `json:"globalRateLimit,omitempty"`
}

// MetaRoute sends the requests that it matches to destinations.
type MetaRoute struct {
	// Name for logs and status; need not be unique.
	Name string `json:"name,omitempty"`
	// Match must hold; without match and matches every request matches.
	Match *MetaRouteMatch `json:"match,omitempty"`
	// Matches are alternatives beside Match: one of all of them must hold.
	// Added to upstream.
	Matches []MetaRouteMatch `json:"matches,omitempty"`
	// Route are the destinations, at least one. With more than one, the
	// weights add up to 100.
	Route []MetaRouteDestination `json:"route"`
	// Timeout is from the request's arrival to its reply; 0 or absent: only
	// the client's own deadline. Added to upstream.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// HashPolicy is what a consistent-hash destination hashes, all of it
	// together; it stands in for what the DestinationRule says. Added.
	HashPolicy []HashPolicy `json:"hashPolicy,omitempty"`
	// Mirror receives a copy; its replies are discarded.
	Mirror *Destination `json:"mirror,omitempty"`
	// MirrorPercentage is the share that is copied; without it 100.
	MirrorPercentage *Percent `json:"mirrorPercentage,omitempty"`
	// RequestMutation changes requests, in order.
	RequestMutation []KeyValue `json:"requestMutation,omitempty"`
	// ResponseMutation changes replies, in order.
	ResponseMutation []KeyValue `json:"responseMutation,omitempty"`
}

// MetaRouteMatch: all of it must hold.
type MetaRouteMatch struct {
	// Attributes are the protocol's properties by name.
	Attributes map[string]StringMatch `json:"attributes,omitempty"`
	// Source is the calling workload. Added to upstream.
	Source *SourceMatch `json:"source,omitempty"`
}

// SourceMatch holds if the calling workload has the labels and the namespace.
type SourceMatch struct {
	Labels    map[string]string `json:"labels,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
}

// StringMatch holds if the attribute's value fits; exactly one of the fields
// before Invert is set. An absent attribute fits only absent, or what is
// inverted. Suffix, present, absent, range and invert are added to upstream.
type StringMatch struct {
	// Exact is the whole value. The empty string means present, as upstream
	// has it (there it was the only way to say so).
	Exact *string `json:"exact,omitempty"`
	// Prefix and Suffix are not empty.
	Prefix *string `json:"prefix,omitempty"`
	Suffix *string `json:"suffix,omitempty"`
	// Regex is RE2 and must match the whole value.
	Regex *string `json:"regex,omitempty"`
	// Present and Absent are true or left out.
	Present *bool `json:"present,omitempty"`
	Absent  *bool `json:"absent,omitempty"`
	// Range is for numbers; a string counts as the decimal number that it is.
	Range *IntRange `json:"range,omitempty"`
	// Invert turns the result around.
	Invert bool `json:"invert,omitempty"`
}

// IntRange holds integers from Start up to, not including, End.
type IntRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// MetaRouteDestination is a destination and its share.
type MetaRouteDestination struct {
	Destination *Destination `json:"destination"`
	// Weight in percent, 0 to 100; of a single destination it means nothing.
	Weight uint32 `json:"weight,omitempty"`
}

// Destination is a service, or a subset of it that a DestinationRule names.
type Destination struct {
	// Host is a fully qualified name.
	Host   string `json:"host"`
	Subset string `json:"subset,omitempty"`
	// Port may be left out: it is then the port that the request came to, or
	// the destination's only one.
	Port *PortSelector `json:"port,omitempty"`
}

// PortSelector names a port of a service.
type PortSelector struct {
	Number uint32 `json:"number"`
}

// Percent is greater than 0 and at most 100.
type Percent struct {
	Value float64 `json:"value"`
}

// KeyValue is one change of a mutable attribute.
type KeyValue struct {
	// Key is the attribute's name; not empty.
	Key string `json:"key"`
	// Value is not empty, except that remove has none.
	Value string `json:"value,omitempty"`
	// Op is set (replace or add; the default), add (only where it is absent)
	// or remove. Added to upstream, which only sets.
	Op string `json:"op,omitempty"`
}

// HashPolicy names one thing to hash: an attribute or the source address.
type HashPolicy struct {
	Attribute     string `json:"attribute,omitempty"`
	SourceAddress bool   `json:"sourceAddress,omitempty"`
}

// Status is what the control plane says of the object.
type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}
