// Package frame builds and reads the few messages that the benchmark sends:
// one request, its reply, and what else a peer may say on the connection.
// It is the benchmark's own, apart from the product's codecs, so that an error
// in a codec cannot verify itself.
package frame

import (
	"encoding/binary"
	"fmt"
)

// Wire is one protocol as the load generator and the echo server speak it.
// Implementations hold no state and may be shared.
type Wire interface {
	// Name is the protocol's name in case names: "thrift", "dubbo".
	Name() string
	// AppendRequest appends a call of sayHello(payload). Ids are positive and
	// below 2^31; payload is ASCII of at most 32,767 bytes.
	AppendRequest(dst []byte, id uint64, payload []byte) []byte
	// Size is the length in bytes of the message that starts at b[0], or 0
	// when b does not hold its header yet.
	Size(b []byte) (int, error)
	// IsReply tells a reply from what else arrives at a client (heartbeats).
	IsReply(msg []byte) bool
	// Reply reads a successful reply; anything else is an error. The payload
	// is a view of msg.
	Reply(msg []byte) (id uint64, payload []byte, err error)
	// AppendAnswer appends what the receiver of msg owes its sender: the echo
	// of a request, the answer to a heartbeat, or nothing.
	AppendAnswer(dst, msg []byte) ([]byte, error)
}

// Method is the method that every request calls and that routes match.
const Method = "sayHello"

// maxMessage bounds what Size accepts: far above any message of a benchmark,
// so that a desynchronised stream is an error and not a wait without end.
const maxMessage = 1 << 20

// ByName returns the wire of a protocol's name.
func ByName(name string) (Wire, error) {
	switch name {
	case "thrift":
		return Thrift{}, nil
	case "dubbo":
		return newDubbo(), nil
	}
	return nil, fmt.Errorf("protocol is neither thrift nor dubbo: %q", name)
}

func checkSize(n uint64) (int, error) {
	if n > maxMessage {
		return 0, fmt.Errorf("message length %d over limit %d", n, maxMessage)
	}
	return int(n), nil
}

func be16(b []byte) int    { return int(binary.BigEndian.Uint16(b)) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
