package xdsclient

import (
	"maps"
	"slices"
	"strings"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// maxDetail bounds the text of a NACK, in bytes.
const maxDetail = 8 << 10

// wildcard asks for all listeners that the server has for this proxy.
const wildcard = "*"

// subscriptions is what the server was asked for on the current stream.
type subscriptions struct {
	greeted bool // it knows who we are
	begun   [kinds]bool
	names   [kinds]map[string]bool
}

// subscribe asks for what came into use and no longer for what did not stay.
func (c *Client) subscribe() {
	if !c.open {
		return
	}
	for k := range kinds {
		want := c.state.wanted[k]
		if k == listenerType {
			want = map[string]bool{wildcard: true}
		}
		r := c.subs.update(k, want)
		if r == nil {
			continue
		}
		if !c.subs.begun[k] {
			// On a new stream the server learns what need not be sent again.
			c.subs.begun[k] = true
			r.InitialResourceVersions = c.state.versions(k)
		}
		if !c.subs.greeted {
			c.subs.greeted = true
			r.Node = c.o.Node
		}
		c.outbox = append(c.outbox, r)
	}
}

// update returns the request that makes the names of a type what is wanted;
// nil if they are. A type of which nothing was ever wanted is not mentioned:
// a first request without names would ask for everything.
func (s *subscriptions) update(k kind, want map[string]bool) *discoveryv3.DeltaDiscoveryRequest {
	var add, drop []string
	for name := range want {
		if !s.names[k][name] {
			add = append(add, name)
		}
	}
	for name := range s.names[k] {
		if !want[name] {
			drop = append(drop, name)
		}
	}
	if len(add)+len(drop) == 0 {
		return nil
	}
	slices.Sort(add)
	slices.Sort(drop)
	s.names[k] = maps.Clone(want)
	return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: k.url(), ResourceNamesSubscribe: add, ResourceNamesUnsubscribe: drop}
}

// answer is the ACK of a response, or with an error the NACK.
func answer(r *discoveryv3.DeltaDiscoveryResponse, err error) *discoveryv3.DeltaDiscoveryRequest {
	a := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	if err != nil {
		text := err.Error()
		if len(text) > maxDetail {
			text = text[:maxDetail]
		}
		// A string that is not UTF-8 would not go out, and the stream would end.
		text = strings.ToValidUTF8(text, "\uFFFD")
		a.ErrorDetail = &rpcstatus.Status{Code: int32(codes.InvalidArgument), Message: text}
	}
	return a
}
