package codectest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// tiny is a codec that is right, or wrong in the ways that its fields say. A
// message is the magic "Ty", a kind, the length of the head, an id of 32 bits,
// the length of the body in 32 bits, head, body. The head is a name and fields
// behind it: "hello;user=jason;trace=7".
type tiny struct {
	rescans        bool // looks at bytes before Scan
	slow           bool // never says how many bytes it needs
	keeps          bool // keeps the bytes that it was given
	headShort      bool // Head does not cover the name
	sizeWrong      bool
	noLimit        bool
	lateLimit      bool         // looks at the limit when all bytes are there
	allocates      bool         // by a length from the wire
	panics         bool         // on a name that is longer than the message
	wholeDiffers   bool         // depends on how many bytes there are
	loses          bool         // the id of what follows a message that came in pieces
	idShort        bool         // writes two of the id's four bytes
	idSpills       bool         // writes over the kind of reply
	replyID        bool         // answers with another id
	replyOK        bool         // answers with success
	beats          bool         // answers a heartbeat with a heartbeat
	away           bool         // says good-bye with a heartbeat
	stages         bool         // asks for the head in small pieces, and reads it again each time
	remembers      bool         // refuses to see a message twice
	wantedFirst    bool         // does not note what was not wanted when it asked for more
	mutatesLength  bool         // is wrong about the length of the head
	wraps          bool         // lets the length of the head overflow
	injects        bool         // lets a value hold a separator
	disorders      bool         // makes edits in the opposite order
	twoNames       bool         // has a field that is the property trace too
	copiesID       bool         // has the old id in its patches
	quotes         bool         // cannot answer with quotes
	mutatesNothing bool         // says that it did
	garbage        bool         // allocates for every message
	sniffsAll      bool         // says yes to anything
	sniffsNone     bool         // says no to its own
	misnamed       bool         // has a dash in its name
	wantsAll       bool         // gives another status where the name is not wanted
	loops          *atomic.Bool // until it is set, on a name of 255 bytes
}

const (
	tinyRequest = iota
	tinyOneway
	tinyReply
	tinyError
	tinyHeartbeat
	tinyHeartbeatReply
	tinyGoAway
	tinyHeader = 12
)

func tinyMessage(kind byte, id uint32, name, body string) []byte {
	b := []byte{'T', 'y', kind, byte(len(name))}
	b = binary.BigEndian.AppendUint32(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(append(b, name...), body...)
}

func (p *tiny) Traits() codec.Traits {
	if p.misnamed {
		return codec.Traits{Name: "tiny-protocol"}
	}
	return codec.Traits{Name: "tiny", Client: codec.ByID, Server: codec.ByID, Parallel: true}
}

func (p *tiny) Properties() []codec.Property {
	return []codec.Property{
		{Name: "name", Doc: "What is called."},
		{Name: "trace", Mutable: true, Doc: "A field of its own."},
		{Name: "field", Keyed: true, Fallback: true, Mutable: true, Doc: "Another field."},
	}
}

func (p *tiny) Sniff(b []byte) codec.Verdict {
	switch {
	case p.sniffsAll:
		return codec.Yes
	case p.sniffsNone, b[0] != 'T', len(b) > 1 && b[1] != 'y':
		return codec.No
	case len(b) == 1:
		return codec.More
	}
	return codec.Yes
}

func (p *tiny) Decoder(_ codec.Side, l codec.Limits) codec.Decoder {
	return &tinyDecoder{p: p, limits: l}
}

type tinyDecoder struct {
	p      *tiny
	limits codec.Limits
	seen   int
	waited bool
	kept   []byte
	last   uint64
}

var errTiny = errors.New("tiny: not a message")

var sink []byte

func (d *tinyDecoder) Next(b []byte, want *codec.Want, _ func(uint64) uint64, m *codec.Message) error {
	if d.p.keeps && d.kept == nil {
		d.kept = b
	}
	if b[0] != 'T' && (m.Scan == 0 || d.p.rescans) {
		return errTiny
	}
	if len(b) < tinyHeader {
		m.Need = tinyHeader
		if d.p.slow {
			m.Need = 0
		}
		if d.p.rescans {
			m.Scan = 1
		}
		return codec.ErrMore
	}
	if b[2] > tinyGoAway {
		return errTiny
	}
	if d.p.garbage {
		sink = make([]byte, 64)
	}
	return d.body(b, want, m)
}

func (d *tinyDecoder) body(b []byte, want *codec.Want, m *codec.Message) error {
	n, body := int(b[3]), int64(binary.BigEndian.Uint32(b[8:]))
	size := int64(tinyHeader+n) + body
	for d.p.loops != nil && n == 255 && !d.p.loops.Load() {
	}
	if d.p.allocates && body < 1<<30 {
		sink = make([]byte, body)
	}
	if d.p.panics && n > 200 {
		_ = b[: tinyHeader+n : tinyHeader+n][tinyHeader+n-1]
	}
	if over := size > d.limits.Message; over && !d.p.noLimit && !d.p.lateLimit {
		return errTiny
	}
	head := tinyHeader + n
	if d.p.slow || d.p.noLimit || d.p.lateLimit {
		head = int(size) // and so waits for the whole
	}
	if len(b) < head {
		m.Need, d.waited = head, true
		if d.p.slow || d.p.lateLimit && size > d.limits.Message {
			m.Need = 0
		}
		if d.p.stages {
			m.Need = min(head, len(b)+8)
		}
		if d.p.wantedFirst && want.Empty() {
			m.Notes[7].Off = 1
		}
		return codec.ErrMore
	}
	if d.p.lateLimit && size > d.limits.Message || d.p.wholeDiffers && len(b) > head+10 && b[7] > 0x80 {
		return errTiny
	}
	if d.describe(b, want, m, n, size); d.p.remembers && d.last == m.ID {
		return errTiny
	}
	d.last = m.ID
	return nil
}

func (d *tinyDecoder) describe(b []byte, want *codec.Want, m *codec.Message, n int, size int64) {
	m.Kind = [...]codec.Kind{codec.Request, codec.Oneway, codec.Reply, codec.Reply,
		codec.Heartbeat, codec.HeartbeatReply, codec.GoAway}[b[2]]
	if b[2] == tinyError || d.p.wantsAll && !want.Has(0) {
		m.Status = codec.AppError
	}
	m.ID = uint64(binary.BigEndian.Uint32(b[4:]))
	m.Head, m.Size = tinyHeader+n, size
	m.Notes[0] = wire.MakeSpan(tinyHeader, n)
	if i := bytes.IndexByte(m.Notes[0].Of(b), ';'); i >= 0 {
		m.Notes[0], m.Notes[1] = wire.MakeSpan(tinyHeader, i), wire.MakeSpan(tinyHeader+i, n-i)
	}
	if m.Notes[7].Off == 1 {
		m.Notes[0] = wire.Span{}
	}
	m.Keep = m.Notes[0]
	if d.p.headShort {
		m.Head, m.Keep = tinyHeader, wire.Span{}
	}
	if d.p.sizeWrong && b[2] == tinyHeartbeat {
		m.Size++
	}
	if d.seen++; d.p.loses && d.seen > 1 && d.waited {
		m.ID++
	}
}

func (d *tinyDecoder) Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool) {
	if d.p.keeps && len(d.kept) > tinyHeader {
		b = d.kept
	}
	if r.Property == 0 {
		return codec.Value{Bytes: m.Notes[0].Of(b)}, m.Notes[0].Len > 0
	}
	key, ok := d.p.entry(r)
	for f := (fields{m.Notes[1].Of(b)}); ok; {
		k, v, more := f.next()
		if !more {
			return codec.Value{}, false
		}
		if string(k) == key {
			return codec.Value{Bytes: v}, true
		}
	}
	return codec.Value{}, false
}

func (p *tiny) CanPutID(*codec.Message) bool { return true }

func (p *tiny) PutID(b []byte, _ *codec.Message, id uint64) {
	if p.idShort {
		binary.BigEndian.PutUint16(b[6:], uint16(id))
		return
	}
	if p.idSpills && b[2] == tinyReply {
		b[2] = tinyError
	}
	binary.BigEndian.PutUint32(b[4:], uint32(id))
}

func (p *tiny) Bits() int { return 32 }

func (p *tiny) AppendReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	kind, id := byte(tinyError), uint32(o.ID)
	if p.replyOK {
		kind = tinyReply
	}
	if p.replyID {
		id++
	}
	if p.quotes && strings.Contains(r.Text, `"`) {
		return append(dst, r.Text...)
	}
	dst = append(dst, 'T', 'y', kind, byte(len(o.Kept)))
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Text)))
	return append(append(dst, o.Kept...), r.Text...)
}

func (p *tiny) AppendHeartbeat(dst []byte, id uint64) []byte {
	return append(dst, tinyMessage(tinyHeartbeat, uint32(id), "", "")...)
}

func (p *tiny) AppendHeartbeatReply(dst, _ []byte, m *codec.Message) []byte {
	if p.beats {
		return p.AppendHeartbeat(dst, m.ID)
	}
	return append(dst, tinyMessage(tinyHeartbeatReply, uint32(m.ID), "", "")...)
}

func (p *tiny) AppendGoAway(dst []byte) []byte {
	if p.away {
		return p.AppendHeartbeat(dst, 0)
	}
	return append(dst, tinyMessage(tinyGoAway, 0, "", "")...)
}
