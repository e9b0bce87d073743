package dubbo

import (
	"encoding/binary"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// The header, as in Dubbo's ExchangeCodec: magic 2 bytes, flags and
// serialization 1, status 1, id 8, length of the body 4.
const (
	magic     = 0xdabb
	headerLen = 16

	flagRequest             = 0x80
	flagTwoWay              = 0x40
	flagEvent               = 0x20
	serializationMask       = 0x1f
	flagsOffset             = 2
	statusOffset            = 3
	idOffset                = 4
	lengthOffset            = 12
	maxBody                 = 1<<31 - 1 // Java reads the length as a signed integer
	maxEvent                = 64        // as much of an event is looked at; Java takes at most 15 bytes
	hessian2          uint8 = 2
	fastjson2         uint8 = 23
)

// header reads the header into m. It refuses a wrong magic number at its
// first byte, and a body over the limit before any of it is waited for.
func (d *decoder) header(b []byte, m *codec.Message) error {
	if b[0] != magic>>8 || len(b) > 1 && b[1] != magic&0xff {
		return fmt.Errorf("dubbo: message starts with %#02x, not with the magic number 0xdabb", b[:min(len(b), 2)])
	}
	if len(b) < headerLen {
		m.Need = headerLen
		return codec.ErrMore
	}
	m.Size = headerLen + int64(binary.BigEndian.Uint32(b[lengthOffset:]))
	if m.Size > d.limits.Message || m.Size-headerLen > maxBody {
		return fmt.Errorf("dubbo: body length %d over limit %d",
			m.Size-headerLen, min(d.limits.Message-headerLen, maxBody))
	}
	flags := b[flagsOffset]
	m.ID = binary.BigEndian.Uint64(b[idOffset:])
	m.Variant = flags & serializationMask
	m.Kind = d.kind(flags)
	if m.Kind == codec.Reply && b[statusOffset] != statusOK {
		m.Status = codec.ProtocolError
	}
	if flags&flagEvent != 0 && flags&flagRequest != 0 {
		m.Notes[noteFlags].Off |= flagTelling
	}
	return nil
}

// kind is what the flags alone say. An event that wants no answer is absorbed
// like an answer to a heartbeat, unless its body says READONLY.
func (d *decoder) kind(flags byte) codec.Kind {
	twoWay := flags&flagTwoWay != 0
	switch {
	case flags&flagEvent != 0 && flags&flagRequest != 0 && twoWay:
		return codec.Heartbeat
	case flags&flagEvent != 0:
		return codec.HeartbeatReply
	case flags&flagRequest == 0:
		return codec.Reply
	case !twoWay:
		return codec.Oneway
	case d.side == codec.FromServer:
		return codec.Push // a callback: the server calls an argument of an earlier request
	}
	return codec.Request
}

// called reports whether m is a call of a client, the one thing that rules
// choose a route for.
func (d *decoder) called(m *codec.Message) bool {
	return d.side == codec.FromClient && (m.Kind == codec.Request || m.Kind == codec.Oneway)
}

// need returns how many bytes of the message must be there before it can be
// described. A request is needed whole: its deadline stands among the
// attachments, at the end.
func (d *decoder) need(want *codec.Want, m *codec.Message) int {
	size := int(m.Size)
	switch {
	case m.Kind == codec.Heartbeat, m.Kind == codec.HeartbeatReply:
		return min(size, headerLen+maxEvent)
	case !Readable(m.Variant):
		return headerLen
	case d.called(m):
		return size
	case m.Kind == codec.Reply && m.Status == codec.OK && want.Has(propAttachment):
		return size
	case m.Kind == codec.Reply && m.Status == codec.OK && m.Variant == hessian2:
		return min(size, headerLen+hessianInt)
	case m.Kind == codec.Reply && m.Status == codec.OK:
		return min(size, headerLen+docLen+jsonbIntMax)
	}
	return headerLen
}

// appendHeader appends a header whose length is set by finish.
func appendHeader(dst []byte, flags, status byte, id uint64) []byte {
	dst = append(dst, magic>>8, magic&0xff, flags, status)
	dst = binary.BigEndian.AppendUint64(dst, id)
	return append(dst, 0, 0, 0, 0)
}

// finish writes the length of the body of the message that starts at start
// and ends where dst does.
func finish(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+lengthOffset:], uint32(len(dst)-start-headerLen))
	return dst
}
