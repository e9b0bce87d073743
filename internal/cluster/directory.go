// Package cluster is the process-wide directory of clusters: what endpoints
// each has now, for workers to read without a lock, and the names behind them
// resolved again as their TTL says. The xDS client fills it. Choosing an
// endpoint for a request is the engine's.
package cluster

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/cluster/clock"
	"github.com/aeraki-mesh/aeraki/internal/cluster/dns"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Resolver looks up the names of STRICT_DNS clusters; *dns.Resolver is the
// one. It is called from many goroutines.
type Resolver interface {
	Lookup(ctx context.Context, name string, f dns.Family) (dns.Answer, error)
}

// Options configures a Directory. All fields may be zero.
type Options struct {
	Resolver Resolver     // default: the system's files and servers
	Clock    clock.Clock  // default: the computer's
	Log      *slog.Logger // default: slog.Default
	// Random returns a number in [0, 1), for jitter; default: math/rand.
	Random func() float64
}

// Spec is what a cluster is, without the endpoints that Assign gives.
type Spec struct {
	Policy         engine.Policy
	ConnectTimeout time.Duration // 0: the engine's default
	// MinRing and MaxRing bound the ring's points with RingHash; 0: the
	// defaults; at most the constant MaxRing.
	MinRing, MaxRing int
	// Hosts are resolved by DNS; none: Assign gives the endpoints.
	Hosts  []Host
	Family dns.Family
}

// Host is a name that serves a cluster. Each of its addresses is an endpoint.
type Host struct {
	Name   string // a host name or an IP address
	Port   uint16
	Weight uint32 // of each address; at least 1
}

// Endpoint is an address that serves a cluster.
type Endpoint struct {
	Addr   netip.AddrPort
	Weight uint32 // at least 1
}

// Directory is all clusters of the process. Its methods may be called from any
// goroutine.
type Directory struct {
	o        Options
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup // goroutines that resolve
	ready    chan struct{}
	failures atomic.Uint64

	mu       sync.Mutex
	clusters map[string]*cluster // guarded by mu; entries stay
}

// New returns an empty directory. Close stops what it starts.
func New(o Options) *Directory {
	if o.Resolver == nil {
		o.Resolver = dns.New(dns.Options{})
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	d := &Directory{o: o, ready: make(chan struct{}, 1), clusters: map[string]*cluster{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close ends all resolution and waits for it. What the clusters have stays
// readable.
func (d *Directory) Close() {
	d.cancel()
	d.running.Wait()
}

// Cluster returns the cluster of this name: the same value for as long as the
// process lives, also while there is no such cluster. That keeps a small entry
// per name that was ever asked for; names come from configuration only.
func (d *Directory) Cluster(name string) engine.Cluster { return d.get(name) }

func (d *Directory) get(name string) *cluster {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.clusters[name]
	if c == nil {
		c = &cluster{name: name, d: d}
		c.set.Store(unknown)
		d.clusters[name] = c
	}
	return c
}

// Set creates a cluster or changes what it is. Until the first Assign or DNS
// answer that follows, it keeps the endpoints that it has.
func (d *Directory) Set(name string, s Spec) { d.get(name).configure(s) }

// Assign gives the endpoints of a cluster that was Set without Hosts; none is
// obeyed too. The Endpoint of an address that stays stays the same value,
// unless its weight changes.
func (d *Directory) Assign(name string, endpoints []Endpoint) { d.get(name).assign(endpoints) }

// Remove takes a cluster away: requests for it get "no cluster" replies.
func (d *Directory) Remove(name string) { d.get(name).remove() }

// Ready reports whether a cluster exists and has had its first endpoints, be
// they none.
func (d *Directory) Ready(name string) bool { return d.get(name).set.Load().Known }

// BecameReady receives after a cluster became ready; several may share one
// value. There is one reader.
func (d *Directory) BecameReady() <-chan struct{} { return d.ready }

// DNSFailures counts lookups without an answer since the process began.
func (d *Directory) DNSFailures() uint64 { return d.failures.Load() }

// Status is a cluster as the admin endpoint shows it.
type Status struct {
	Name      string           `json:"name"`
	Policy    string           `json:"policy"`
	Endpoints []EndpointStatus `json:"endpoints"`
	DNS       []HostStatus     `json:"dns,omitempty"`
}

// EndpointStatus is an endpoint in force.
type EndpointStatus struct {
	Address string `json:"address"`
	Weight  uint32 `json:"weight"`
	Active  int64  `json:"activeRequests"`
}

// HostStatus is what became of a name's resolution.
type HostStatus struct {
	Host      string   `json:"host"`
	Addresses []string `json:"addresses"`
	Failures  uint64   `json:"failures"`
	Error     string   `json:"error,omitempty"` // of the last lookup
}

// Status copies what is in force, by name; clusters that do not exist are left
// out.
func (d *Directory) Status() []Status {
	d.mu.Lock()
	all := make([]*cluster, 0, len(d.clusters))
	for _, c := range d.clusters {
		all = append(all, c)
	}
	d.mu.Unlock()
	var out []Status
	for _, c := range all {
		if s, ok := c.status(); ok {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}
