// Package filter is the contract of layer-7 filters: what may look at every
// request and reply of a route, whatever its protocol, and edit it, answer it,
// or send a copy elsewhere. Filters are configured per route and run in the
// order in which the route lists them. Package filtertest holds the test kit.
package filter

import (
	"github.com/aeraki-mesh/aeraki/codec"
)

// Filter is a kind of filter. It is immutable and shared by all workers.
type Filter interface {
	// Name is the filter's name in configuration, lower case.
	Name() string
	// Parse validates one configuration: strict JSON, an unknown field is an
	// error, for a service of protocol p. What can be prepared is prepared
	// here; the Instance allocates nothing per request.
	Parse(config []byte, p codec.Protocol) (Instance, error)
}

// Instance is a configured filter of one route. It is immutable, used by all
// workers at once, and implements RequestFilter, ReplyFilter, or both.
type Instance interface {
	// Refs lists the properties that it reads with Exchange.Get.
	Refs() []codec.Ref
	// Clusters lists the clusters to which it may send copies; Exchange.Copy
	// takes an index into it.
	Clusters() []string
}

// RequestFilter sees requests after the route is chosen and before a cluster is.
type RequestFilter interface {
	OnRequest(x Exchange) Action
}

// ReplyFilter sees replies of upstreams before they go to the client. Local
// replies are not shown to filters.
type ReplyFilter interface {
	OnReply(x Exchange)
}

// Action is what happens to a request after a filter has seen it.
type Action uint8

// Continue lets the next filter see it; Stop ends it: the filter has called
// Exchange.Reply.
const (
	Continue Action = iota
	Stop
)

// Exchange is the message that a filter looks at. It is the engine's, valid
// during the call only.
type Exchange interface {
	// Get returns a property as the message has it on the wire, before edits.
	Get(r codec.Ref) (codec.Value, bool)
	// Edit changes a mutable property when the message is forwarded. The
	// Edit's memory must outlive the call: filters prepare it in Parse. Where
	// the protocol or this message has no place for it, that is counted.
	Edit(e *codec.Edit)
	// Copy sends a copy of the request, as edited when all filters have run,
	// to the cluster at this index of Clusters. Its reply is discarded.
	Copy(cluster int)
	// Reply answers the request in the client's protocol.
	Reply(r codec.LocalReply)
	// Random returns 64 random bits.
	Random() uint64
}
