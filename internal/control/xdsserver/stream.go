package xdsserver

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// stream is one proxy's connection. One goroutine runs it; mu is for those who
// ask for its status.
type stream struct {
	server *Server
	wake   chan struct{} // holds one: there is a new view
	since  time.Time

	mu            sync.Mutex
	node          *corev3.Node // nil before the first request
	view          *View        // what forProxy was made of
	forProxy      ForProxy
	subscriptions map[string]*subscription
	nonces        uint64
	pushes        uint64
}

type adsStream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer

func (s *stream) run(ads adsStream) error {
	requests := make(chan *discoveryv3.DeltaDiscoveryRequest)
	failed := make(chan error, 1)
	go receive(ads, requests, failed)
	for {
		select {
		case err := <-failed:
			return err
		case <-ads.Context().Done():
			return ads.Context().Err()
		case r := <-requests:
			if err := s.request(r); err != nil {
				return err
			}
		case <-s.wake:
		}
		if err := s.push(ads); err != nil {
			return err
		}
	}
}

// receive ends with the stream: Recv fails then.
func receive(ads adsStream, to chan<- *discoveryv3.DeltaDiscoveryRequest, failed chan<- error) {
	for {
		r, err := ads.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
				err = nil
			}
			failed <- err
			return
		}
		select {
		case to <- r:
		case <-ads.Context().Done():
			failed <- ads.Context().Err()
			return
		}
	}
}

func (s *stream) request(r *discoveryv3.DeltaDiscoveryRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node == nil {
		if r.Node == nil {
			return status.Error(codes.InvalidArgument, "the first request names no node")
		}
		s.node = r.Node
		s.server.log.Info("proxy connected", "proxy", r.Node.Id)
	}
	if !slices.Contains(s.server.order.types, r.TypeUrl) {
		return status.Errorf(codes.InvalidArgument, "type %q is not served here", r.TypeUrl)
	}
	mayBeWildcard := r.TypeUrl == s.server.order.wildcard
	sub := s.subscriptions[r.TypeUrl]
	if sub == nil {
		sub = newSubscription(r, mayBeWildcard)
		s.subscriptions[r.TypeUrl] = sub
	}
	names := slices.Sorted(maps.Keys(sub.pushed))
	if refusal, answered := sub.update(r, mayBeWildcard); answered && r.ErrorDetail != nil {
		s.server.log.Warn("proxy refuses resources", "proxy", s.node.Id, "type", r.TypeUrl, "names", names, "error", refusal)
	}
	return nil
}

// push sends what may be sent now. A type with a push in flight waits for its
// answer; what names something waits for what it names.
func (s *stream) push(ads adsStream) error {
	s.mu.Lock()
	responses, err := s.responses()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	// Send blocks while the proxy does not read; status stays readable.
	for _, r := range responses {
		if err := ads.Send(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) responses() ([]*discoveryv3.DeltaDiscoveryResponse, error) {
	view := s.server.view.Load()
	if view == nil || s.node == nil {
		return nil, nil
	}
	if view != s.view {
		made, err := view.For(s.node)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		s.view, s.forProxy = view, made
	}
	diffs := map[string]diff{}
	for typeURL, sub := range s.subscriptions {
		diffs[typeURL] = sub.diff(typeURL, s)
	}
	var out []*discoveryv3.DeltaDiscoveryResponse
	held := map[string]bool{} // has upserts that wait
	for _, typeURL := range s.server.order.types {
		sub, d := s.subscriptions[typeURL], diffs[typeURL]
		if sub == nil {
			continue
		}
		wait := sub.nonce != "" || slices.ContainsFunc(s.server.order.needs[typeURL], func(t string) bool { return held[t] })
		if wait {
			held[typeURL] = len(d.upserts) > 0
			continue
		}
		if !s.mayRemove(typeURL, diffs) {
			d.gone = nil
		}
		if d.empty() && !sub.first() {
			continue
		}
		response, rest := s.response(typeURL, sub, d)
		out = append(out, response)
		held[typeURL] = rest
	}
	return out, nil
}

// mayRemove: what is gone is taken away once everything that may name it has
// arrived and was taken. A proxy that refused new routes still uses the old
// ones, and so keeps their clusters.
func (s *stream) mayRemove(typeURL string, diffs map[string]diff) bool {
	for _, user := range s.server.order.users[typeURL] {
		d := diffs[user]
		sub := s.subscriptions[user]
		if sub != nil && (sub.nonce != "" || len(d.upserts) > 0 || len(d.gone) > 0 || len(sub.refused) > 0) {
			return false
		}
	}
	return true
}

// first: a wildcard subscription is answered even when there is nothing, so
// that the proxy knows it.
func (s *subscription) first() bool { return s.wildcard && !s.answered }

// maxResponse bounds a response, as clients bound what they receive (gRPC: 4
// MiB unless told otherwise): 1 MiB, or one resource if that alone is larger.
const maxResponse = 1 << 20

// response makes a push of as much of the diff as one response holds: what
// changed first, then what is gone. The rest is in the next diff, and is sent
// when this push is answered; rest reports whether changes are in it, which
// what names them must wait for.
func (s *stream) response(typeURL string, sub *subscription, d diff) (out *discoveryv3.DeltaDiscoveryResponse, rest bool) {
	s.nonces++
	s.pushes++
	out = &discoveryv3.DeltaDiscoveryResponse{TypeUrl: typeURL, Nonce: strconv.FormatUint(s.nonces, 10), SystemVersionInfo: s.view.Version}
	sub.nonce, sub.pushed, sub.answered = out.Nonce, map[string]string{}, true
	size := proto.Size(out)
	room := func(n int) bool {
		size += n + maxTag
		return size <= maxResponse || len(sub.pushed) == 0
	}
	for _, name := range d.upserts {
		r, _, _ := s.get(typeURL, name)
		resource := &discoveryv3.Resource{Name: name, Version: r.Version, Resource: r.Body}
		if rest = !room(proto.Size(resource)); rest {
			break
		}
		out.Resources = append(out.Resources, resource)
		sub.sent[name], sub.pushed[name] = r.Version, r.Version
	}
	for _, name := range append(d.missing, d.gone...) {
		if rest || !room(len(name)) {
			break
		}
		out.RemovedResources = append(out.RemovedResources, name)
		sub.sent[name], sub.pushed[name] = absent, absent
	}
	s.server.log.Debug("push", "proxy", s.node.Id, "type", typeURL, "resources", len(out.Resources), "removed", len(out.RemovedResources), "bytes", size)
	return out, rest
}

// maxTag is what a message's entry has around it at most: a tag and a length.
const maxTag = 6

// get implements lookup.
func (s *stream) get(typeURL, name string) (r Resource, there, withheld bool) {
	if r, there = s.forProxy.Own[typeURL][name]; there {
		return r, true, false
	}
	r, there = s.view.Shared[typeURL][name]
	if there {
		_, withheld = s.forProxy.Withheld[name]
	}
	return r, there, withheld
}

// own implements lookup.
func (s *stream) own(typeURL string) []string {
	return slices.Collect(maps.Keys(s.forProxy.Own[typeURL]))
}
