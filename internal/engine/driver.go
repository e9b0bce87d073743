package engine

import (
	"net/netip"
	"time"
)

// ConnID names a connection of one worker. Drivers mint it: a small index
// (reused) in the low 32 bits and a generation in the high ones, so that an
// event for a connection that is gone cannot reach its successor. 0 is none.
type ConnID uint64

// MakeConnID joins an index and its generation; gen must not be 0.
func MakeConnID(index, gen uint32) ConnID { return ConnID(gen)<<32 | ConnID(index) }

// Index returns the slot in per-connection tables.
func (c ConnID) Index() uint32 { return uint32(c) }

// Handler is what a driver feeds; *Worker is the one that matters. A driver
// calls it from one goroutine at a time and never from inside one of its own
// Driver methods. now is monotonic, from an arbitrary start.
type Handler interface {
	// Wake begins an iteration: the driver woke at now and will report what
	// happened. It is the iteration's one clock reading; requests that arrive
	// in the iteration start at it.
	Wake(now time.Duration)
	// Opened tells that a connection can be used: one that was accepted, or
	// one that Connect asked for.
	Opened(c ConnID, in ConnInfo)
	// Readable shows all bytes that arrived and were not consumed yet, never
	// none. b is the driver's, valid during the call. The driver keeps what
	// was not consumed, and calls again when more bytes arrived or after
	// SetReading(c, true). The handler may change the bytes that it consumes.
	Readable(c ConnID, b []byte) (consumed int)
	// Writable tells that a Write, which took less than it was given, may
	// now take more.
	Writable(c ConnID)
	// Closed tells what became of a connection. After Half (the peer will send
	// no more; all it sent was shown or is kept) the connection still takes
	// writes and must be closed with Driver.Close; after anything else the
	// ConnID is dead and must not be used again.
	Closed(c ConnID, why How)
	// Flush ends an iteration, with the now of its Wake: the handler writes
	// what the events produced. It returns when, on the clock of now, it wants
	// to be woken though nothing happens; Never if it does not.
	Flush(now time.Duration) (next time.Duration)
}

// Never is the time that does not come.
const Never = time.Duration(1<<63 - 1)

// ConnInfo is what is known of a connection when it opens.
type ConnInfo struct {
	Listener string         // name of the listener that accepted it; "" if Connect made it
	Remote   netip.AddrPort // zero where the driver does not know
	Local    netip.AddrPort
	Identity string // the peer's authenticated identity, e.g. a SPIFFE URI; "" without TLS
}

// How tells how a connection ends.
type How uint8

const (
	// Half: one direction only. From the driver: the peer sent its end of
	// stream. To the driver: send ours after what was written.
	Half How = iota
	// Clean: both directions, in order; bytes already written are delivered.
	Clean
	// Abort: at once; the peer may see a reset.
	Abort
	// ConnectFailed: Connect did not succeed (from the driver only).
	ConnectFailed
)

// String returns the name for logs.
func (h How) String() string {
	return [...]string{"half", "clean", "abort", "connect-failed"}[h&3]
}

// Driver carries out what a worker asks. All methods return at once, and are
// called only from inside a Handler method, on its goroutine.
type Driver interface {
	// Write sends or copies from bufs in order and returns how many bytes it
	// took; it keeps no slice. If n is less than all, Writable follows.
	// Before Opened, and on a dead connection, it takes nothing.
	Write(c ConnID, bufs [][]byte) (n int)
	// SetReading switches Readable off and on (it starts on). While it is off
	// the peer is held back by the transport's own flow control.
	SetReading(c ConnID, on bool)
	// Close ends a connection: Half, Clean or Abort. After Clean and Abort the
	// driver reports nothing more of it.
	Close(c ConnID, how How)
	// Connect begins a connection; Opened, or Closed with ConnectFailed,
	// follows later, never from inside this call. Deadlines are the worker's.
	Connect(t Target) ConnID
	// Cluster returns the cluster of this name. The answer is the same value
	// as long as the process lives, also while the cluster does not exist.
	Cluster(name string) Cluster
}

// Target is where Connect connects.
type Target struct {
	Cluster  string
	Endpoint *Endpoint // nil: the driver's cluster chooses
	Hash     uint64    // with Endpoint nil: requests of equal hash should meet the same endpoint; 0: no wish
}

// Outcome is what a request or a connection attempt taught about an endpoint.
type Outcome uint8

// Served: a reply came, whatever it said. Failed: the connection was not made
// or broke with the request in flight. Late: the deadline passed.
const (
	Served Outcome = iota
	Failed
	Late
)

// Cluster is a set of endpoints that serve the same.
type Cluster interface {
	// Endpoints returns the current set; nil where the driver's cluster
	// balances by itself. It is one atomic load: call it per request.
	Endpoints() *EndpointSet
	// Report tells what became of a request or connection attempt.
	Report(c ConnID, o Outcome)
}
