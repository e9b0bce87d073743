package xdsserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Types are the type URLs of the four kinds of resources.
type Types struct {
	Clusters, Endpoints, Routes, Listeners string
}

// Server serves the view that was published last. It is safe for concurrent
// use.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer

	log   *slog.Logger
	order typeOrder
	now   func() time.Time
	view  atomic.Pointer[View] // nil: nothing was published yet, nothing is served

	mu      sync.Mutex
	streams map[*stream]struct{}
	gone    []ProxyStatus // the last to disconnect, oldest first
}

// New returns a server with nothing to serve: proxies wait until the first
// Publish.
func New(t Types, log *slog.Logger) *Server {
	return &Server{log: log, order: newTypeOrder(t.Clusters, t.Endpoints, t.Routes, t.Listeners), now: time.Now, streams: map[*stream]struct{}{}}
}

// Publish replaces the view. Proxies get what has changed of what they
// subscribe to, and nothing else.
func (s *Server) Publish(v *View) {
	s.view.Store(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		select {
		case st.wake <- struct{}{}:
		default: // it is woken already
		}
	}
}

// DeltaAggregatedResources serves one proxy until it or the server goes away.
func (s *Server) DeltaAggregatedResources(ads adsStream) error {
	st := &stream{server: s, wake: make(chan struct{}, 1), since: s.now(), subscriptions: map[string]*subscription{}}
	s.mu.Lock()
	s.streams[st] = struct{}{}
	s.mu.Unlock()
	err := st.run(ads)
	s.mu.Lock()
	delete(s.streams, st)
	if st.node != nil {
		last := st.status()
		last.Disconnected = s.now()
		s.gone = append(s.gone, last)
		if len(s.gone) > maxGone {
			s.gone = s.gone[1:]
		}
	}
	s.mu.Unlock()
	if st.node != nil {
		s.log.Info("proxy disconnected", "proxy", st.node.Id, "error", err)
	}
	return err
}

// StreamAggregatedResources refuses the state-of-the-world variant.
func (s *Server) StreamAggregatedResources(discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return status.Error(codes.Unimplemented, "only delta ADS is served")
}

// Serve serves on l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	g := grpc.NewServer(
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s)
	// Streams of proxies never end by themselves, so a graceful stop would
	// wait for ever.
	stop := context.AfterFunc(ctx, g.Stop)
	defer stop()
	if err := g.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("xdsserver: %w", err)
	}
	return nil
}

// Listen opens "unix:/path" or "address:port"; until mTLS comes, the address
// must be loopback. A socket that nobody listens on is replaced.
func Listen(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, fmt.Errorf("listen: %q is neither unix:/path nor address:port: %w", address, err)
		}
		if !ap.Addr().IsLoopback() {
			return nil, fmt.Errorf("listen: %s is not loopback; use a loopback address or unix:/path", address)
		}
		return net.Listen("tcp", address)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen: %s is there and is no socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return errors.Join(fmt.Errorf("listen: somebody else serves on %s", path), c.Close())
	}
	return os.Remove(path)
}
