package codec

import "github.com/aeraki-mesh/aeraki/wire"

// Cause is why the engine answers a request itself.
type Cause uint8

// The causes of local replies, each with Envoy's response flag and the HTTP
// status class that metrics show. There will be more: a codec answers one that
// it does not know as it answers NoUpstream.
const (
	NoRoute     Cause = iota // NR 404: no route matched
	NoCluster                // NC 503: the route's cluster is unknown
	NoUpstream               // UH 503: no endpoint
	ConnectFail              // UF 503: the upstream connection was not made
	Reset                    // UC 503: the upstream connection broke
	TimedOut                 // UT 504: the deadline passed
	Overflow                 // UO 503: a limit of the proxy
	Limited                  // RL 429: a rate limit
	Denied                   // UAEX 403: an authorization rule
	Fault                    // FI 503: an injected fault
	Unsupported              // DPE 400: the message asks what the proxy cannot carry
	BadReply                 // UPE 502: the upstream's reply was not decodable
)

// String returns the cause as in logs: "no route".
func (c Cause) String() string {
	names := [...]string{"no route", "no cluster", "no upstream", "connect failed", "reset", "timed out",
		"overflow", "rate limited", "denied", "fault injected", "unsupported", "bad reply"}
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// Origin is what the engine still has of a request when it answers it itself.
type Origin struct {
	ID, Memo uint64
	Variant  uint8
	Kept     []byte // the bytes of Message.Keep
}

// LocalReply is an answer of the engine's own. Text is one sentence of printable
// ASCII; quotes and backslashes may be in it, so what needs escaping escapes it.
type LocalReply struct {
	Cause Cause
	Text  string
}

// Renumberer is implemented by protocols whose requests carry ids that can be
// rewritten in place without changing a length.
type Renumberer interface {
	// CanPutID reports whether this message's id can be rewritten; false where
	// its wire variant gives ids no fixed length (Thrift's compact protocol
	// writes them as varints). The engine then keeps the id and gives the
	// client a leased connection.
	CanPutID(m *Message) bool
	// PutID writes id into the message in b[:m.Head], for which CanPutID is
	// true; only the lowest Bits() bits are ever set. It may be called between
	// Mutate and the copy that Mutate's patch is made for.
	PutID(b []byte, m *Message, id uint64)
	// Bits is the width of ids on the wire: at least 31.
	Bits() int
}

// Mutator is implemented by protocols that can carry edits.
type Mutator interface {
	// Mutate adds to p what the edits change in the whole message b, every
	// length field included; len(b) is m.Size. The edits are made in their
	// order, each on what those before it have left: the last Set of a key
	// counts, an Add after a Remove adds. Values are users' and may hold
	// anything: quotes, control characters, no UTF-8, more bytes than a length
	// field can tell. What results must be decodable, with the other properties
	// as they were; only bytes that are no UTF-8 may be replaced by U+FFFD.
	//
	// m is as Next left it, whatever was wanted then: Next may not have looked
	// at the headers at all, so Mutate must find them valid for itself.
	//
	// It returns ErrNoCarrier, and no other error, where this message has no
	// place for all of the edits; p is thrown away then. p replaces neither the
	// bytes that PutID writes nor copies them.
	Mutate(p *wire.Patch, b []byte, m *Message, edits []Edit) error
}

// Op is what an Edit does.
type Op uint8

// Set replaces or adds, Add adds only where the property is absent, Remove
// takes away.
const (
	Set Op = iota
	Add
	Remove
)

// Edit is one change of a mutable property.
type Edit struct {
	Op    Op
	Ref   Ref
	Value []byte
}

// Responder is implemented by every protocol that has requests: it makes the
// engine's own answers, which must be valid replies for the protocol's clients.
type Responder interface {
	// AppendReply appends the whole reply message to dst.
	AppendReply(dst []byte, o *Origin, r LocalReply) []byte
}

// Heartbeater is implemented by protocols that have heartbeats.
type Heartbeater interface {
	// AppendHeartbeat appends a heartbeat that asks for an answer.
	AppendHeartbeat(dst []byte, id uint64) []byte
	// AppendHeartbeatReply appends the answer to the heartbeat m in b.
	AppendHeartbeatReply(dst, b []byte, m *Message) []byte
}

// GoAwayer is implemented by protocols in which a server can tell a client to
// send no more requests on a connection.
type GoAwayer interface {
	AppendGoAway(dst []byte) []byte
}

// Retrier is implemented by protocols that know which requests may be sent
// twice.
type Retrier interface {
	SafeToRetry(b []byte, m *Message) bool
}
