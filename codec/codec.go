// Package codec is the contract between the engine and a protocol. A protocol
// says how its messages are framed, which properties rules may read, and how
// the few replies that the engine gives by itself look on the wire; routing,
// policies and telemetry are the engine's and are written once.
//
// A codec sees bytes only: no sockets, no routes, no clocks. It is called by
// one worker at a time per Decoder, must not keep any slice that it is given,
// must not allocate in steady state, and must treat every byte as hostile: no
// panic, no allocation by a length from the wire, no recursion without a limit.
// Package codectest holds the conformance kit that every codec must pass.
package codec

import (
	"errors"
	"time"

	"github.com/aeraki-mesh/aeraki/wire"
)

// Protocol describes a protocol. It is immutable and shared by all workers.
type Protocol interface {
	Traits() Traits
	// Properties lists what rules may read and mutate; the order is part of
	// the protocol: Ref.Property is an index into it. At most 64.
	Properties() []Property
	// Sniff looks at the first bytes that a client sent, at least one of them,
	// and consumes nothing.
	Sniff(prefix []byte) Verdict
	// Decoder returns the state of one direction of one connection: s says who
	// sends. It is called once per connection and direction.
	Decoder(s Side, l Limits) Decoder
}

// Traits are the facts about a protocol that the engine's decisions hang on.
type Traits struct {
	// Name is the protocol's name in port names, metrics and the
	// ApplicationProtocol resource: lower case, no dash.
	Name string
	// ServerFirst: the server speaks first, so the upstream connection is made
	// when a client connects, and routed on properties of the connection only.
	ServerFirst bool
	// Client says in which order clients expect replies, Server in which order
	// servers send them.
	Client, Server Order
	// Parallel: servers work on several requests of one connection at once, so
	// connections may be shared by clients. Needs a Renumberer.
	Parallel bool
	// SilentRequests: some clients send one-way messages as requests (Thrift's
	// Go library does), so a reply may skip requests before its own; those will
	// have none. Without it a skipped request breaks the connection.
	SilentRequests bool
	// HeartbeatInterval is how long an upstream connection is left idle before
	// a heartbeat is sent on it; 0: never. Needs a Heartbeater.
	HeartbeatInterval time.Duration
}

// Order is the order of replies on a connection.
type Order uint8

// InOrder: replies come in the order of the requests. ByID: in any order, an
// id joins them. Dedicated: the connection carries one conversation, joined to
// one upstream connection for its whole life.
const (
	InOrder Order = iota
	ByID
	Dedicated
)

// Property is something in a message that rules may read, in YAML an attribute.
type Property struct {
	// Name as users write it: "method". A family of keyed properties
	// ("attachment") is written attachment[key].
	Name string
	// Keyed: a family of properties, told apart by a key.
	Keyed bool
	// Fallback: a name that is no other property is a key of this family. At
	// most one family has it.
	Fallback bool
	// Type of its values.
	Type ValueType
	// Mutable: edits of requests and replies may name it.
	Mutable bool
	// Doc is one sentence for users.
	Doc string
}

// ValueType is the type of a property.
type ValueType uint8

// String values are bytes; Int values fit 64 bits, signed.
const (
	String ValueType = iota
	Int
)

// String returns the name that "describe" prints.
func (t ValueType) String() string {
	if t == Int {
		return "int"
	}
	return "string"
}

// Ref names one property of a message: an index into Properties and, for a
// keyed one, the key.
type Ref struct {
	Property int
	Key      string
}

// Value is what a property holds in one message. Bytes is a view of the
// message, valid until the message is forwarded. Where IsInt, Int holds the
// number; Bytes may be nil then.
type Value struct {
	Bytes []byte
	Int   int64
	IsInt bool
}

// Want is the set of properties that the rules of a configuration read,
// compiled once; immutable. A nil Want wants nothing.
type Want struct {
	refs []Ref
	mask uint64
}

// NewWant returns the set of refs, each once, in the order first given.
func NewWant(refs ...Ref) *Want {
	w := &Want{}
	for _, r := range refs {
		if w.index(r) < 0 {
			w.refs = append(w.refs, r)
			w.mask |= 1 << (uint(r.Property) & 63)
		}
	}
	return w
}

func (w *Want) index(r Ref) int {
	for i, have := range w.refs {
		if have == r {
			return i
		}
	}
	return -1
}

// Has reports whether any wanted Ref is of the property at this index.
func (w *Want) Has(property int) bool {
	return w != nil && w.mask&(1<<(uint(property)&63)) != 0
}

// Refs returns the wanted Refs; the caller must not change them.
func (w *Want) Refs() []Ref {
	if w == nil {
		return nil
	}
	return w.refs
}

// Verdict is what Sniff found.
type Verdict uint8

// No: these bytes are not this protocol. More: too few to tell. Yes: they are.
const (
	No Verdict = iota
	More
	Yes
)

// Side says who sends the bytes that a Decoder reads.
type Side uint8

// FromClient and FromServer are the two directions of a connection.
const (
	FromClient Side = iota
	FromServer
)

// Limits bound what one message may claim. All are inclusive and positive.
type Limits struct {
	Message    int64 // bytes of a whole message
	Properties int   // entries of one keyed family
	Depth      int   // nesting of structures
}

// DefaultLimits are used where a configuration gives none: 16 MiB, 1,024, 64.
func DefaultLimits() Limits { return Limits{Message: 16 << 20, Properties: 1024, Depth: 64} }

// ErrMore is returned by Decoder.Next when it cannot go on without more bytes.
// Message.Need says how many, Message.Scan where it goes on.
var ErrMore = errors.New("codec: message incomplete")

// ErrNoCarrier is returned by Mutator.Mutate when this message has no place
// for what an edit asks (a framed Thrift call has no headers). The message is
// forwarded without it and the failure is counted.
var ErrNoCarrier = errors.New("codec: the message has no place for this property")

// Decoder finds the messages in the bytes of one direction of a connection.
// It is used by one worker and keeps no part of b.
type Decoder interface {
	// Next describes the message that starts at b[0] (len(b) > 0). On success
	// b[:m.Head] is there and covers what Get needs for every Ref in want;
	// no more than that is parsed. m arrives as the previous call left it when
	// that call returned ErrMore for the same message, zeroed otherwise.
	//
	// ErrMore: the message needs m.Need bytes (0: at least one more); the next
	// call gets the same bytes and more, and resumes at m.Scan without looking
	// at any byte before it again. Any other error closes the connection; it
	// names the value that offended.
	//
	// memo returns what was noted with the request that the reply with this id
	// answers (id 0 where replies are InOrder: the oldest); it may be called
	// by decoders of FromServer only.
	Next(b []byte, want *Want, memo func(id uint64) uint64, m *Message) error
	// Get returns the property's value in the message that Next described in
	// the same b. The view is valid until the message is forwarded.
	Get(b []byte, m *Message, r Ref) (Value, bool)
}

// Message is what a Decoder found. The engine owns and reuses it.
type Message struct {
	Kind    Kind
	Status  Status
	Pin     Pin
	Unread  bool          // properties could not be read (an unknown serialization, a malformed body): counted, and warned of
	Variant uint8         // wire variant (transport, serialization): pools are kept apart by it, local replies follow it
	ID      uint64        // as on the wire; 0 where there is none
	Memo    uint64        // noted with a request for the Decoder of its reply
	Timeout time.Duration // the client's own deadline, as sent with a request; 0: none
	Head    int           // bytes from b[0] that must be there for Get and Mutate
	Scan    int           // with ErrMore: bytes that were looked at
	Need    int           // with ErrMore: bytes that must be there to go on
	Size    int64         // of the whole message, at least Head; known on success
	Keep    wire.Span     // bytes that local replies need after the message is gone; at most 256
	Notes   [8]wire.Span  // the codec's own, found once
}

// Kind is what a message is for.
type Kind uint8

// The kinds. Heartbeat asks for a HeartbeatReply and never leaves the proxy;
// Push comes from a server without a request; GoAway says that its sender
// wants no more requests on this connection.
const (
	Request Kind = iota
	Oneway
	Reply
	Push
	Heartbeat
	HeartbeatReply
	StreamOpen
	StreamData
	StreamClose
	GoAway
)

// String returns the kind's name for logs.
func (k Kind) String() string {
	names := [...]string{"request", "oneway", "reply", "push", "heartbeat", "heartbeat-reply",
		"stream-open", "stream-data", "stream-close", "go-away"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Status is what a reply says of its request.
type Status uint8

// OK: it was served. AppError: the application raised an error. ProtocolError:
// the server's framework refused it.
const (
	OK Status = iota
	AppError
	ProtocolError
)

// Pin says whether a message needs an upstream connection of its own.
type Pin uint8

// Keep leaves things as they are; Begin gives the client's connection an
// upstream connection that nobody shares; End gives it back.
const (
	Keep Pin = iota
	Begin
	End
)

// Cause is why the engine answers a request itself.
type Cause uint8

// The causes of local replies, each with Envoy's response flag and the HTTP
// status class that metrics show.
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

// Origin is what the engine still has of a request when it answers it itself.
type Origin struct {
	ID, Memo uint64
	Variant  uint8
	Kept     []byte // the bytes of Message.Keep
}

// LocalReply is an answer of the engine's own. Text is ASCII, one sentence.
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
	// true; only the lowest Bits() bits are ever set.
	PutID(b []byte, m *Message, id uint64)
	// Bits is the width of ids on the wire: at least 31.
	Bits() int
}

// Mutator is implemented by protocols that can carry edits.
type Mutator interface {
	// Mutate adds to p what the edits change in the whole message b, every
	// length field included. It returns ErrNoCarrier where this message has no
	// place for them; p is ignored then.
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
