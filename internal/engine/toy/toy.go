// Package toy is a protocol made for tests of the engine: every trait of a
// real one can be switched on by itself, and every message carries what a test
// wants to see again. It is in no list of built-in protocols.
//
// A message is a header of 16 bytes (magic "TY", kind, flags, id, timeout in
// ms, length of the body; integers big-endian) and a body: the method and a
// tag, each with a length byte, and a payload.
package toy

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// Flags of a message; the lowest two bits are a reply's codec.Status.
const (
	FlagPin = 0x10 // the request needs a connection of its own
)

const headerLen = 16

// Properties by index.
const (
	Method = iota
	Tag
	Size // the payload's length, an Int
)

// Protocol is a toy with traits of the test's choice.
type Protocol struct {
	T codec.Traits
}

// New returns a toy whose clients and servers expect these orders.
func New(client, server codec.Order, parallel bool) *Protocol {
	return &Protocol{T: codec.Traits{Name: "toy", Client: client, Server: server, Parallel: parallel}}
}

// Traits implements codec.Protocol.
func (p *Protocol) Traits() codec.Traits { return p.T }

// Properties implements codec.Protocol.
func (p *Protocol) Properties() []codec.Property {
	return []codec.Property{
		{Name: "method", Doc: "What is called."},
		{Name: "tag", Mutable: true, Doc: "Anything."},
		{Name: "size", Type: codec.Int, Doc: "Length of the payload in bytes."},
	}
}

// Sniff implements codec.Protocol.
func (p *Protocol) Sniff(b []byte) codec.Verdict {
	if b[0] != 'T' || len(b) > 1 && b[1] != 'Y' {
		return codec.No
	}
	if len(b) < 2 {
		return codec.More
	}
	return codec.Yes
}

// Decoder implements codec.Protocol.
func (p *Protocol) Decoder(_ codec.Side, l codec.Limits) codec.Decoder {
	return &decoder{limit: l.Message}
}

type decoder struct{ limit int64 }

// Next implements codec.Decoder.
func (d *decoder) Next(b []byte, _ *codec.Want, _ func(uint64) uint64, m *codec.Message) error {
	if len(b) < headerLen {
		m.Need = headerLen
		return codec.ErrMore
	}
	if b[0] != 'T' || b[1] != 'Y' {
		return fmt.Errorf("toy: magic %q", b[:2])
	}
	size := int64(headerLen) + int64(binary.BigEndian.Uint32(b[12:]))
	if size > d.limit {
		return fmt.Errorf("toy: message of %d bytes over %d", size, d.limit)
	}
	if int64(len(b)) < size {
		m.Need = int(size)
		return codec.ErrMore
	}
	m.Kind, m.Status = codec.Kind(b[2]), codec.Status(b[3]&3)
	if m.Kind > codec.GoAway || m.Status > codec.ProtocolError {
		return fmt.Errorf("toy: kind %d, flags %#x", b[2], b[3])
	}
	if b[3]&FlagPin != 0 && m.Kind == codec.Request {
		m.Pin = codec.Begin
	}
	m.ID = uint64(binary.BigEndian.Uint32(b[4:]))
	m.Timeout = time.Duration(binary.BigEndian.Uint32(b[8:])) * time.Millisecond
	r := wire.NewReader(b[:size], headerLen)
	m.Notes[Method] = r.Span(int(r.U8()))
	m.Notes[Tag] = r.Span(int(r.U8()))
	if r.Short() {
		return fmt.Errorf("toy: body of %d bytes is too short", size-headerLen)
	}
	m.Notes[Size] = wire.MakeSpan(r.Off(), r.Left())
	m.Keep = m.Notes[Method]
	m.Head, m.Size = int(size), size
	return nil
}

// Get implements codec.Decoder.
func (d *decoder) Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool) {
	n := m.Notes[r.Property]
	if r.Property == Size {
		return codec.Value{Int: int64(n.Len), IsInt: true}, true
	}
	return codec.Value{Bytes: n.Of(b)}, n.Len > 0
}

// CanPutID implements codec.Renumberer.
func (p *Protocol) CanPutID(*codec.Message) bool { return true }

// PutID implements codec.Renumberer.
func (p *Protocol) PutID(b []byte, _ *codec.Message, id uint64) {
	binary.BigEndian.PutUint32(b[4:], uint32(id))
}

// Bits implements codec.Renumberer.
func (p *Protocol) Bits() int { return 32 }

// Mutate implements codec.Mutator: the tag can be edited.
func (p *Protocol) Mutate(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	tag := m.Notes[Tag].Of(b)
	for _, e := range edits {
		switch {
		case e.Ref.Property != Tag || len(e.Value) > 255:
			return codec.ErrNoCarrier
		case e.Op == codec.Remove:
			tag = nil
		case e.Op == codec.Set || len(tag) == 0:
			tag = e.Value
		}
	}
	at := int(m.Notes[Tag].Off) - 1
	patch.Open(at, 1+int(m.Notes[Tag].Len))
	patch.Ins = append(append(patch.Ins, byte(len(tag))), tag...)
	patch.Close()
	length := binary.BigEndian.Uint32(b[12:]) + uint32(patch.Grow())
	patch.Open(12, 4)
	patch.Ins = binary.BigEndian.AppendUint32(patch.Ins, length)
	patch.Close()
	return nil
}

// AppendReply implements codec.Responder: the payload is the cause and text.
func (p *Protocol) AppendReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	at := len(dst)
	dst = AppendHead(dst, codec.Reply, byte(codec.ProtocolError), uint32(o.ID), 0, string(o.Kept), "local")
	dst = append(dst, byte(r.Cause))
	dst = append(dst, r.Text...)
	return Finish(dst, at)
}

// AppendHeartbeat implements codec.Heartbeater.
func (p *Protocol) AppendHeartbeat(dst []byte, id uint64) []byte {
	return Append(dst, codec.Heartbeat, 0, uint32(id), 0, "", "", nil)
}

// AppendHeartbeatReply implements codec.Heartbeater.
func (p *Protocol) AppendHeartbeatReply(dst, _ []byte, m *codec.Message) []byte {
	return Append(dst, codec.HeartbeatReply, 0, uint32(m.ID), 0, "", "", nil)
}

// AppendGoAway implements codec.GoAwayer.
func (p *Protocol) AppendGoAway(dst []byte) []byte {
	return Append(dst, codec.GoAway, 0, 0, 0, "", "", nil)
}

// Append appends a whole message; method and tag have at most 255 bytes.
func Append(dst []byte, k codec.Kind, flags byte, id, timeoutMillis uint32, method, tag string, payload []byte) []byte {
	at := len(dst)
	dst = AppendHead(dst, k, flags, id, timeoutMillis, method, tag)
	return Finish(append(dst, payload...), at)
}

// AppendHead appends a message up to its payload; Finish ends it.
func AppendHead(dst []byte, k codec.Kind, flags byte, id, timeoutMillis uint32, method, tag string) []byte {
	dst = append(dst, 'T', 'Y', byte(k), flags)
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint32(dst, timeoutMillis)
	dst = append(dst, 0, 0, 0, 0, byte(len(method)))
	dst = append(dst, method...)
	dst = append(dst, byte(len(tag)))
	return append(dst, tag...)
}

// Finish writes the length of the message that starts at dst[at].
func Finish(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+12:], uint32(len(dst)-at-headerLen))
	return dst
}

// Message is a decoded message, for test clients and servers.
type Message struct {
	Kind        codec.Kind
	Flags       byte
	ID          uint32
	Method, Tag string
	Payload     []byte
}

// Parse returns the message at the start of b and its length; 0: incomplete.
func Parse(b []byte) (Message, int, error) {
	var m codec.Message
	d := decoder{limit: 1 << 30}
	if err := d.Next(b, nil, nil, &m); err == codec.ErrMore {
		return Message{}, 0, nil
	} else if err != nil {
		return Message{}, 0, err
	}
	return Message{Kind: m.Kind, Flags: b[3], ID: uint32(m.ID), Method: string(m.Notes[Method].Of(b)),
		Tag: string(m.Notes[Tag].Of(b)), Payload: m.Notes[Size].Of(b)}, int(m.Size), nil
}

// Interface guards.
var (
	_ codec.Protocol    = (*Protocol)(nil)
	_ codec.Renumberer  = (*Protocol)(nil)
	_ codec.Mutator     = (*Protocol)(nil)
	_ codec.Responder   = (*Protocol)(nil)
	_ codec.Heartbeater = (*Protocol)(nil)
	_ codec.GoAwayer    = (*Protocol)(nil)
)
