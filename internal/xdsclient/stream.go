package xdsclient

import (
	"context"
	"net"
	"strings"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	// connectTimeout bounds one attempt to reach the server.
	connectTimeout = 5 * time.Second
	// keepaliveTime finds a server that vanished without a word. Servers
	// refuse pings that are more frequent than they like; istiod takes 15 s.
	keepaliveTime, keepaliveTimeout = 30 * time.Second, 10 * time.Second
	// maxReceive and maxSend bound one message, in bytes.
	maxReceive, maxSend = 16 << 20, 4 << 20
)

// stream is one connection to the server and the delta ADS stream on it. Its
// goroutines do nothing but I/O; the client's one owns all state.
type stream struct {
	opened   chan struct{} // closed when the stream is established
	received chan *discoveryv3.DeltaDiscoveryResponse
	send     chan *discoveryv3.DeltaDiscoveryRequest
	ended    chan error // receives once, last; all goroutines have ended then
	cancel   context.CancelFunc
}

// open begins to connect and returns at once.
func open(o *Options) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{
		opened:   make(chan struct{}),
		received: make(chan *discoveryv3.DeltaDiscoveryResponse),
		send:     make(chan *discoveryv3.DeltaDiscoveryRequest),
		ended:    make(chan error, 1),
		cancel:   cancel,
	}
	go func() {
		defer cancel()
		s.ended <- s.run(ctx, o)
	}()
	return s
}

func (s *stream) run(ctx context.Context, o *Options) error {
	conn, err := connect(o)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	ads, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		cancel()
		return err
	}
	close(s.opened)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		s.sendAll(ctx, ads)
	}()
	defer func() { cancel(); <-sending }()
	for {
		r, err := ads.Recv()
		if err != nil {
			return err
		}
		select {
		case s.received <- r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendAll ends when the stream does; what was wrong then, Recv tells.
func (s *stream) sendAll(ctx context.Context, ads discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient) {
	for {
		select {
		case r := <-s.send:
			if ads.Send(r) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// connect makes a connection that serves one stream: the client decides when
// there is another attempt, not gRPC.
func connect(o *Options) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+o.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(o.Dial),
		grpc.WithAuthority("aeraki"),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive), grpc.MaxCallSendMsgSize(maxSend)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
	)
}

// dial connects to "unix:/path" or an IP and port.
func dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	if file, ok := strings.CutPrefix(address, "unix:"); ok {
		return d.DialContext(ctx, "unix", file)
	}
	return d.DialContext(ctx, "tcp", address)
}
