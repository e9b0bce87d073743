package engine

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Endpoint is one address that serves a cluster. It is the same value for the
// same address as long as the cluster has it, so that what is counted on it
// survives an update of the set. Shared by all workers.
type Endpoint struct {
	Addr   netip.AddrPort
	Weight uint32 // at least 1
	// Active counts requests in flight of all workers, for least request.
	Active atomic.Int64
	// Gone is set when an update no longer has the endpoint.
	Gone atomic.Bool
}

// Policy chooses an endpoint of a set.
type Policy uint8

// The load-balancing policies; Istio's names.
const (
	RoundRobin Policy = iota
	LeastRequest
	RingHash
	Random
)

// EndpointSet is one version of a cluster's endpoints. Immutable.
type EndpointSet struct {
	Known          bool // false: the cluster does not exist (yet)
	Policy         Policy
	ConnectTimeout time.Duration // of one connection attempt; 0: 5 s
	Endpoints      []*Endpoint
	// Ring is sorted by hash; only with RingHash.
	Ring []RingPoint
}

// RingPoint is a point of the hash ring: the endpoint serves hashes up to it.
type RingPoint struct {
	Hash     uint64
	Endpoint int32 // index into Endpoints
}
