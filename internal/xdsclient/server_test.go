package xdsclient

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// server is a delta ADS server whose resources a test changes while it runs.
// It sends what a proxy asked for and does not have, one push per type in
// flight, and can be stopped and started with the same resources.
type server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	t       *testing.T
	address string

	mu       sync.Mutex
	changed  *sync.Cond
	grpc     *grpc.Server
	running  chan struct{}
	have     [kinds]map[string]*discoveryv3.Resource
	held     [kinds]bool // not sent for now
	poison   *discoveryv3.DeltaDiscoveryResponse
	streams  int
	requests []*discoveryv3.DeltaDiscoveryRequest // all
	sent     []string                             // "Listener +a -b", all
	acks     int
	nacks    []string
}

func startServer(t *testing.T) *server {
	s := &server{t: t, address: "unix:" + filepath.Join(t.TempDir(), "ads.sock")}
	s.changed = sync.NewCond(&s.mu)
	for k := range s.have {
		s.have[k] = map[string]*discoveryv3.Resource{}
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	l, err := net.Listen("unix", strings.TrimPrefix(s.address, "unix:"))
	if err != nil {
		s.t.Fatal(err)
	}
	g, running := grpc.NewServer(), make(chan struct{})
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s)
	s.mu.Lock()
	s.grpc, s.running = g, running
	s.mu.Unlock()
	go func() {
		defer close(running)
		if err := g.Serve(l); err != nil {
			s.t.Errorf("server: %v", err)
		}
	}()
}

// stop ends the server and all streams; it may be started again.
func (s *server) stop() {
	s.mu.Lock()
	g, running := s.grpc, s.running
	s.grpc = nil
	s.changed.Broadcast()
	s.mu.Unlock()
	if g != nil {
		g.Stop()
		<-running
	}
}

// update changes resources, all at once. nil removes.
func (s *server) update(changes ...change) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c.message == nil {
			delete(s.have[c.kind], c.name)
			continue
		}
		s.have[c.kind][c.name] = s.marshal(c)
	}
	s.changed.Broadcast()
}

func (s *server) marshal(c change) *discoveryv3.Resource {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.message)
	if err != nil {
		s.t.Fatal(err)
	}
	body = append(body, c.extra...)
	return &discoveryv3.Resource{Name: c.name, Version: hash(body), Resource: &anypb.Any{TypeUrl: c.kind.url(), Value: body}}
}

// change is one resource to come or, without message, to go; extra is added to
// its bytes.
type change struct {
	kind    kind
	name    string
	message proto.Message
	extra   []byte
}

// hold stops sending of a type, or lets it go on.
func (s *server) hold(k kind, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[k] = on
	s.changed.Broadcast()
}

// inject sends a response as it is, without an answer being waited for.
func (s *server) inject(r *discoveryv3.DeltaDiscoveryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poison = r
	s.changed.Broadcast()
}

// await waits until the condition, which sees the server's state, holds.
func (s *server) await(what string, holds func() bool) {
	s.t.Helper()
	late := time.AfterFunc(patience, func() { s.mu.Lock(); s.changed.Broadcast(); s.mu.Unlock() })
	defer late.Stop()
	deadline := time.Now().Add(patience)
	s.mu.Lock()
	defer s.mu.Unlock()
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not happen; sent %q, nacks %q", what, s.sent, s.nacks)
		}
		s.changed.Wait()
	}
}

// awaitNack waits for a NACK that says all of this, and returns it.
func (s *server) awaitNack(parts ...string) string {
	s.t.Helper()
	var found string
	s.await(fmt.Sprintf("a NACK with %q", parts), func() bool {
		i := slices.IndexFunc(s.nacks, func(n string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(n, p) })
		})
		if i >= 0 {
			found = s.nacks[i]
		}
		return i >= 0
	})
	return found
}

// session is what one stream has and wants.
type session struct {
	wildcard bool
	names    [kinds]map[string]bool
	sent     [kinds]map[string]string
	inFlight [kinds]string
	nonce    int
	ended    bool
}

// DeltaAggregatedResources implements the service.
func (s *server) DeltaAggregatedResources(ads discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	x := &session{}
	for k := range kinds {
		x.names[k], x.sent[k] = map[string]bool{}, map[string]string{}
	}
	s.mu.Lock()
	s.streams++
	s.changed.Broadcast()
	s.mu.Unlock()
	go func() {
		for {
			r, err := ads.Recv()
			s.mu.Lock()
			if err != nil {
				x.ended = true
			} else {
				s.take(x, r)
			}
			s.changed.Broadcast()
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		r := s.next(x)
		if r == nil {
			return nil
		}
		if err := ads.Send(r); err != nil {
			return err
		}
	}
}

func (s *server) take(x *session, r *discoveryv3.DeltaDiscoveryRequest) {
	s.requests = append(s.requests, r)
	k, ok := kindOf(r.TypeUrl)
	if !ok {
		s.nacks = append(s.nacks, r.GetErrorDetail().GetMessage())
		return
	}
	for name, version := range r.InitialResourceVersions {
		x.sent[k][name] = version
	}
	for _, name := range r.ResourceNamesSubscribe {
		if name == "*" {
			x.wildcard = true
		} else if x.names[k][name] = true; r.InitialResourceVersions[name] == "" {
			delete(x.sent[k], name)
		}
	}
	for _, name := range r.ResourceNamesUnsubscribe {
		delete(x.names[k], name)
		delete(x.sent[k], name)
	}
	if r.ResponseNonce == "" {
		return
	}
	if r.ErrorDetail != nil {
		s.nacks = append(s.nacks, r.ErrorDetail.Message)
	} else {
		s.acks++
	}
	if r.ResponseNonce == x.inFlight[k] {
		x.inFlight[k] = ""
	}
}

// next waits for something to send; nil when the stream or the server ends.
func (s *server) next(x *session) *discoveryv3.DeltaDiscoveryResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if x.ended || s.grpc == nil {
			return nil
		}
		if r := s.poison; r != nil {
			s.poison = nil
			return r
		}
		for k := range kinds {
			if r := s.push(x, k); r != nil {
				return r
			}
		}
		s.changed.Wait()
	}
}

func (s *server) push(x *session, k kind) *discoveryv3.DeltaDiscoveryResponse {
	if s.held[k] || x.inFlight[k] != "" {
		return nil
	}
	wanted := slices.Collect(maps.Keys(x.names[k]))
	if k == listenerType && x.wildcard {
		wanted = append(slices.Collect(maps.Keys(s.have[k])), slices.Collect(maps.Keys(x.sent[k]))...)
	}
	slices.Sort(wanted)
	r := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: k.url()}
	line := k.String()
	for _, name := range slices.Compact(wanted) {
		have, version := s.have[k][name], x.sent[k][name]
		if have == nil && version != "absent" {
			r.RemovedResources = append(r.RemovedResources, name)
			x.sent[k][name] = "absent"
			line += " -" + name
		} else if have != nil && version != have.Version {
			r.Resources = append(r.Resources, have)
			x.sent[k][name] = have.Version
			line += " +" + name
		}
	}
	if line == k.String() {
		return nil
	}
	x.nonce++
	x.inFlight[k] = fmt.Sprint(x.nonce)
	r.Nonce = x.inFlight[k]
	s.sent = append(s.sent, line)
	s.changed.Broadcast()
	return r
}
