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
	// The engine does not carry such protocols yet: it refuses a listener of one.
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
// one upstream connection for its whole life; the engine does not carry this
// yet and refuses a listener of such a protocol.
const (
	InOrder Order = iota
	ByID
	Dedicated
)

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

// ErrMore is returned by Decoder.Next, as it is and not wrapped, when it cannot
// go on without more bytes. Message.Need says how many, Message.Scan where it
// goes on.
var ErrMore = errors.New("codec: message incomplete")

// ErrNoCarrier is returned by Mutator.Mutate when this message has no place
// for what an edit asks: a framed Thrift call has no headers, a value is too
// long for its length field, the headers are malformed. The message is
// forwarded without any of the edits and the failure is counted.
var ErrNoCarrier = errors.New("codec: the message has no place for this property")

// Decoder finds the messages in the bytes of one direction of a connection.
// It is used by one worker and keeps no part of b.
type Decoder interface {
	// Next describes the message that starts at b[0] (len(b) > 0). On success
	// b[:m.Head] is there and covers what Get needs for every Ref in want;
	// no more than that is parsed. m arrives as the previous call left it when
	// that call returned ErrMore for the same message, zeroed otherwise. After
	// success nobody reads m.Scan and m.Need: they need not be cleared.
	//
	// ErrMore: the message needs m.Need bytes (0: at least one more); the next
	// call gets the same bytes and more, and resumes at m.Scan without looking
	// at any byte before it again. The work for a message must be in proportion
	// to its length, in however many steps Next asks for it: a decoder that
	// needs more than a handful moves Scan. Any other error closes the
	// connection; it names the value that offended.
	//
	// want may be another one in the call after ErrMore, because the rules have
	// changed: what counts is the want of the call that succeeds. So what Next
	// moves Scan over it must note whether it is wanted or not. For the same
	// reason a message that was described while a part of its body is missing
	// may be described once more when all is there, from its first byte, with m
	// zeroed: a decoder that remembers messages must come to the same.
	//
	// What want does not ask for need not be valid: a codec that can tell kind,
	// id and length from a fixed prefix looks no further without a Ref, and
	// passes what it would have refused with one. That is safe where no rule
	// reads what is passed over; Mutate must not rely on it.
	//
	// memo returns what was noted with the request that the reply with this id
	// answers (id 0 where replies are InOrder: the oldest); it may be called
	// by decoders of FromServer only.
	Next(b []byte, want *Want, memo func(id uint64) uint64, m *Message) error
	// Get returns the property's value in the message that Next described in
	// the same b. The view is valid until the message is forwarded.
	Get(b []byte, m *Message, r Ref) (Value, bool)
}
