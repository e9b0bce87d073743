package simtest

import (
	"encoding/binary"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
	"github.com/aeraki-mesh/aeraki/wire"
)

// newProtocol returns the toy, as the conditions want it.
func newProtocol(p profile, c conditions) codec.Protocol {
	t := toy.New(p.client, p.server, p.parallel)
	t.T.HeartbeatInterval = c.heartbeat
	var e everything = t
	if c.early {
		e = &early{t}
	}
	if c.bare {
		return bare{e, e, e, e, e}
	}
	return e
}

type everything interface {
	codec.Protocol
	codec.Renumberer
	codec.Mutator
	codec.Responder
	codec.Heartbeater
	codec.GoAwayer
}

// bare is a protocol whose messages have no id that could be rewritten: only
// their order joins replies to requests.
type bare struct {
	codec.Protocol
	codec.Mutator
	codec.Responder
	codec.Heartbeater
	codec.GoAwayer
}

// early is a toy that describes a message as soon as what the rules want of it
// has arrived, as real codecs do. What they do not want it does not look for.
type early struct{ *toy.Protocol }

func (e *early) Decoder(_ codec.Side, l codec.Limits) codec.Decoder { return &earlyDecoder{l.Message} }

type earlyDecoder struct{ limit int64 }

const toyHeader = 16

func (d *earlyDecoder) Next(b []byte, want *codec.Want, _ func(uint64) uint64, m *codec.Message) error {
	if len(b) < toyHeader {
		m.Need = toyHeader
		return codec.ErrMore
	}
	m.Size = toyHeader + int64(binary.BigEndian.Uint32(b[12:]))
	if b[0] != 'T' || b[1] != 'Y' || m.Size > d.limit || b[2] > byte(codec.GoAway) || b[3]&3 > byte(codec.ProtocolError) {
		return fmt.Errorf("early: % x", b[:toyHeader])
	}
	at := toyHeader
	for _, property := range []int{toy.Method, toy.Tag} {
		if property == toy.Tag && !want.Has(toy.Tag) {
			break
		}
		span, ok := text(b, at)
		if at = int(span.Off + span.Len); int64(at) > m.Size {
			return fmt.Errorf("early: text up to %d of %d bytes", at, m.Size)
		}
		if !ok {
			m.Need = at
			return codec.ErrMore
		}
		m.Notes[property] = span
	}
	m.Kind, m.Status, m.ID = codec.Kind(b[2]), codec.Status(b[3]&3), uint64(binary.BigEndian.Uint32(b[4:]))
	if b[3]&toy.FlagPin != 0 && m.Kind == codec.Request {
		m.Pin = codec.Begin
	}
	m.Timeout = millis(binary.BigEndian.Uint32(b[8:]))
	m.Keep, m.Head = m.Notes[toy.Method], at
	return nil
}

// text returns the text whose length stands at b[at]; or how far the bytes
// must reach to tell more.
func text(b []byte, at int) (s wire.Span, ok bool) {
	if at >= len(b) {
		return wire.MakeSpan(at, 1), false
	}
	s = wire.MakeSpan(at+1, int(b[at]))
	return s, int(s.Off+s.Len) <= len(b)
}

func (d *earlyDecoder) Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool) {
	n := m.Notes[r.Property]
	return codec.Value{Bytes: n.Of(b)}, n.Len > 0
}

// Mutate looks for the tag first: no rule may have read it.
func (e *early) Mutate(p *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	found := *m
	method, _ := text(b, toyHeader)
	found.Notes[toy.Tag], _ = text(b, int(method.Off+method.Len))
	return e.Protocol.Mutate(p, b, &found, edits)
}
