package engine

import (
	"net/netip"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// Config is everything that a worker is told. It is immutable once given to
// Worker.Configure and shared by all workers.
type Config struct {
	Version   string // content hash, as the admin endpoint shows it
	Listeners []*Listener
}

// Listener is one accepting address and what is done with its connections.
type Listener struct {
	Name        string // unique in a Config; the same name in the next Config is the same listener
	Address     netip.AddrPort
	Inbound     bool // beside a server (metrics: reporter destination) rather than a client
	Protocol    codec.Protocol
	Routes      *route.Table // never nil
	Destination Destination
	Limits      Limits
	Sharing     Sharing
	IdleTimeout time.Duration // of a downstream connection without requests; 0: never
}

// Destination names the service behind a listener in metrics.
type Destination struct {
	Host, Name, Namespace string
}

// Limits of one listener. All are positive.
type Limits struct {
	Codec                 codec.Limits
	Connections           int // downstream, per process
	RequestsPerConnection int // in flight
	Requests              int // in flight, per worker
}

// DefaultLimits are used where the configuration says nothing: codec defaults,
// 100,000 connections, 1,024 requests in flight per connection, 262,144 per
// worker.
func DefaultLimits() Limits {
	return Limits{Codec: codec.DefaultLimits(), Connections: 100_000, RequestsPerConnection: 1024, Requests: 1 << 18}
}

// Sharing says whether clients may share an upstream connection.
type Sharing uint8

// AsProtocol: as Traits.Parallel says. Leased: one client at a time while it
// has requests in flight. SharedByID: many clients at a time.
const (
	AsProtocol Sharing = iota
	Leased
	SharedByID
)
