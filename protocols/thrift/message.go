package thrift

import (
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// describe fills m from the message header.
func (d *decoder) describe(b []byte, m *codec.Message, h *head) error {
	fromClient := h.kind == typeCall || h.kind == typeOneway
	if fromClient != (d.side == codec.FromClient) {
		return fmt.Errorf("thrift: message type %d comes from the wrong side", h.kind)
	}
	switch h.kind {
	case typeCall:
		m.Kind = codec.Request
	case typeOneway:
		m.Kind = codec.Oneway
	case typeReply:
		m.Kind = codec.Reply
		if h.firstField {
			m.Status = codec.AppError
		}
	case typeException:
		m.Kind, m.Status = codec.Reply, codec.ProtocolError
	}
	m.ID = uint64(h.seq)
	named(m, b, wire.MakeSpan(h.name, h.nlen))
	d.noteSeq(m, h)
	// Replies, the ones of multiplexing servers too, carry the name without
	// the service, and clients compare it.
	m.Keep = m.Notes[noteFunction]
	m.Keep.Len = min(m.Keep.Len, maxKept)
	return nil
}

// noteSeq notes where PutID writes, if it may. A THeader request's two ids
// are rewritten both or, where they differ, neither.
func (d *decoder) noteSeq(m *codec.Message, h *head) {
	if h.seqAt == 0 || d.side == codec.FromClient && m.Notes[noteInfo].Off != 0 && m.Memo != m.ID {
		return
	}
	m.Notes[noteSeq] = wire.MakeSpan(h.seqAt, 4)
}

// checkType refuses message types that no specification has.
func checkType(t uint8) error {
	if t < typeCall || t > typeOneway {
		return fmt.Errorf("thrift: unknown message type %d", t)
	}
	return nil
}

// more says that n bytes are needed to read the header.
func (h *head) more(n int) error {
	h.need = n
	return codec.ErrMore
}

// checkName refuses a message whose name, and the at least tail bytes behind
// it, reach over the end that the frame or the limit sets.
func checkName(at, n int64, tail, end int64) error {
	if n > 1<<31-1 || at+n+tail > end {
		return fmt.Errorf("thrift: method name of %d bytes in a message of at most %d", n, end)
	}
	return nil
}
