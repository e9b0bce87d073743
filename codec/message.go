package codec

import (
	"time"

	"github.com/aeraki-mesh/aeraki/wire"
)

// Message is what a Decoder found. The engine owns and reuses it.
type Message struct {
	Kind    Kind
	Status  Status
	Pin     Pin
	Unread  bool          // a request's properties could not be read (an unknown serialization, a malformed body): counted, and warned of
	Variant uint8         // wire variant (transport, serialization): pools are kept apart by it, local replies follow it
	ID      uint64        // as on the wire; 0 where there is none
	Memo    uint64        // noted with a request for the Decoder of its reply
	Timeout time.Duration // the client's own deadline, as sent with a request; 0: none
	Head    int           // bytes from b[0] that must be there for Get, PutID and Keep; Mutate has them all
	Scan    int           // with ErrMore: bytes that were looked at and will not be again
	Need    int           // with ErrMore: bytes that must be there to go on
	Size    int64         // of the whole message, at least Head; known on success
	Keep    wire.Span     // bytes that local replies need after the message is gone; at most 256
	Notes   [8]wire.Span  // the codec's own, found once
}

// Kind is what a message is for.
type Kind uint8

// The kinds. Heartbeat asks for a HeartbeatReply and never leaves the proxy;
// Push comes from a server without a request; GoAway says that its sender
// wants no more requests on this connection. StreamOpen, StreamData and
// StreamClose are kept for streams: the engine does not carry them yet and
// closes a connection on which one comes.
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

// String returns the kind's name, as in logs.
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

// Stay leaves things as they are. Begin sends the message, and later ones that
// say so, on an upstream connection that no other client shares, as long as
// the client's connection lasts.
const (
	Stay Pin = iota
	Begin
)
