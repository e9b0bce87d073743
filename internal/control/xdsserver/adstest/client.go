// Package adstest is a delta ADS client for tests: it asks for what it is told
// to, records what it is sent, and answers as it is told to.
package adstest

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// patience is how long a test waits for what must happen, on a machine that is
// busy with other things.
const patience = time.Minute

// Client is one stream. Its methods are for the test's goroutine.
type Client struct {
	t      *testing.T
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node   *corev3.Node

	mu        sync.Mutex
	changed   *sync.Cond
	have      map[string]map[string]*discoveryv3.Resource // by type and name
	gone      map[string]map[string]bool
	responses []*discoveryv3.DeltaDiscoveryResponse
	refuse    map[string]string // type → error text
	hold      map[string]bool   // types whose pushes are not answered
	err       error
	sendMu    sync.Mutex
}

// Dial connects to the server at addr with this node id and metadata. The
// stream ends with the test.
func Dial(t *testing.T, addr net.Addr, id string, metadata map[string]any) *Client {
	t.Helper()
	target := addr.String()
	if addr.Network() == "unix" {
		target = "unix:" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	md, err := structpb.NewStruct(metadata)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, stream: stream, node: &corev3.Node{Id: id, Metadata: md}, have: map[string]map[string]*discoveryv3.Resource{},
		gone: map[string]map[string]bool{}, refuse: map[string]string{}, hold: map[string]bool{}}
	c.changed = sync.NewCond(&c.mu)
	done := make(chan struct{})
	go func() { defer close(done); c.receive() }()
	t.Cleanup(func() { cancel(); <-done; _ = conn.Close() })
	return c
}

func (c *Client) receive() {
	for {
		r, err := c.stream.Recv()
		c.mu.Lock()
		if err != nil {
			c.err = err
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		c.responses = append(c.responses, r)
		refusal, refused := c.refuse[r.TypeUrl]
		if !refused {
			c.apply(r)
		}
		held := c.hold[r.TypeUrl]
		c.changed.Broadcast()
		c.mu.Unlock()
		if !held {
			c.answer(r, refusal, refused)
		}
	}
}

func (c *Client) apply(r *discoveryv3.DeltaDiscoveryResponse) {
	if c.have[r.TypeUrl] == nil {
		c.have[r.TypeUrl], c.gone[r.TypeUrl] = map[string]*discoveryv3.Resource{}, map[string]bool{}
	}
	for _, res := range r.Resources {
		c.have[r.TypeUrl][res.Name] = res
		delete(c.gone[r.TypeUrl], res.Name)
	}
	for _, name := range r.RemovedResources {
		delete(c.have[r.TypeUrl], name)
		c.gone[r.TypeUrl][name] = true
	}
}

func (c *Client) answer(r *discoveryv3.DeltaDiscoveryResponse, refusal string, refused bool) {
	request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.TypeUrl, ResponseNonce: r.Nonce}
	if refused {
		request.ErrorDetail = &statuspb.Status{Code: 3, Message: refusal}
	}
	c.send(request)
}

func (c *Client) send(r *discoveryv3.DeltaDiscoveryRequest) {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	r.Node = c.node
	// A stream that is gone is seen by receive.
	_ = c.stream.Send(r)
}

// Subscribe asks for names of the type.
func (c *Client) Subscribe(typeURL string, names ...string) {
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names})
}

// Resume asks for what it says that it has, with versions.
func (c *Client) Resume(typeURL string, versions map[string]string, names ...string) {
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names, InitialResourceVersions: versions})
}

// Unsubscribe wants the names no more.
func (c *Client) Unsubscribe(typeURL string, names ...string) {
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesUnsubscribe: names})
}

// Refuse answers pushes of the type with a NACK; with an empty text, ACKs again.
func (c *Client) Refuse(typeURL, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text == "" {
		delete(c.refuse, typeURL)
		return
	}
	c.refuse[typeURL] = text
}

// Hold leaves pushes of the type unanswered, from now on.
func (c *Client) Hold(typeURL string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold[typeURL] = true
}

// Release answers the last push of the type, and all to come.
func (c *Client) Release(typeURL string) {
	c.mu.Lock()
	delete(c.hold, typeURL)
	var last *discoveryv3.DeltaDiscoveryResponse
	for _, r := range c.responses {
		if r.TypeUrl == typeURL {
			last = r
		}
	}
	c.mu.Unlock()
	if last != nil {
		c.answer(last, "", false)
	}
}

// Wait waits until cond holds, and fails the test if it does not.
func (c *Client) Wait(what string, cond func() bool) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(patience)
	wake := time.AfterFunc(patience, c.changed.Broadcast)
	defer wake.Stop()
	for !cond() {
		if c.err != nil || time.Now().After(deadline) {
			c.t.Fatalf("waiting for %s: stream error %v, have %v", what, c.err, c.namesLocked())
		}
		c.changed.Wait()
	}
}

func (c *Client) namesLocked() map[string][]string {
	out := map[string][]string{}
	for t, m := range c.have {
		out[t] = slices.Sorted(maps.Keys(m))
	}
	return out
}

// WaitFor waits for the resource to be there and returns its version.
func (c *Client) WaitFor(typeURL, name string) string {
	c.t.Helper()
	c.Wait(name, func() bool { return c.have[typeURL][name] != nil })
	return c.Version(typeURL, name)
}

// WaitChange waits for another version of the resource than this.
func (c *Client) WaitChange(typeURL, name, version string) string {
	c.t.Helper()
	c.Wait("change of "+name, func() bool { r := c.have[typeURL][name]; return r != nil && r.Version != version })
	return c.Version(typeURL, name)
}

// WaitGone waits until it is told that there is no such resource.
func (c *Client) WaitGone(typeURL, name string) {
	c.t.Helper()
	c.Wait("removal of "+name, func() bool { return c.gone[typeURL][name] })
}

// WaitError waits until the stream has ended and returns why.
func (c *Client) WaitError() error {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(patience)
	wake := time.AfterFunc(patience, c.changed.Broadcast)
	defer wake.Stop()
	for c.err == nil {
		if time.Now().After(deadline) {
			c.t.Fatal("the stream did not end")
		}
		c.changed.Wait()
	}
	return c.err
}

// Version returns the version of the resource, "" if it is not there.
func (c *Client) Version(typeURL, name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have[typeURL][name].GetVersion()
}

// Get unmarshals the resource into m.
func (c *Client) Get(typeURL, name string, m proto.Message) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	body := &anypb.Any{}
	if r := c.have[typeURL][name]; r != nil {
		body = r.Resource
	}
	if err := body.UnmarshalTo(m); err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
}

// Names returns the names that it has of the type.
func (c *Client) Names(typeURL string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.have[typeURL]))
}

// Responses returns those of the type, in order. They must not be changed.
func (c *Client) Responses(typeURL string) []*discoveryv3.DeltaDiscoveryResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*discoveryv3.DeltaDiscoveryResponse
	for _, r := range c.responses {
		if r.TypeUrl == typeURL {
			out = append(out, r)
		}
	}
	return out
}

// Sent returns what was sent, in order: "+name" for each resource, "-name" for
// each that is gone.
func (c *Client) Sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, r := range c.responses {
		for _, res := range r.Resources {
			out = append(out, "+"+res.Name)
		}
		for _, name := range r.RemovedResources {
			out = append(out, "-"+name)
		}
	}
	return out
}
