package thrift

import (
	"encoding/binary"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// The layout of a THeader frame (HeaderFormat.md): length, magic, flags,
// sequence number, header size in words, header, payload.
const (
	headerMagic   = 0x0fff
	headerSeqAt   = 8
	headerWordsAt = 12
	headerFixed   = 14

	headerBinary  = 0
	headerCompact = 2
)

// The kinds of info sections that have keys and values. Info 2 is fbthrift's,
// meant to last for the connection; here it is a header of its message.
const (
	infoKeyValue   = 1
	infoPersistent = 2
)

// transformNames are those of HeaderFormat.md.
var transformNames = [...]string{"", "zlib", "HMAC", "snappy"}

// header reads the header of a THeader frame that ends at end. It returns
// where the payload starts, and 0 for the binary protocol or compact. A start
// of 0 is that of an error.
func (d *decoder) header(b []byte, end int64, want *codec.Want, m *codec.Message) (start int, protocol uint8, err error) {
	if end < headerFixed+minMessage {
		return 0, 0, fmt.Errorf("thrift: a THeader frame of %d bytes holds no message", end-4)
	}
	if len(b) < headerFixed {
		m.Need = headerFixed
		return 0, 0, codec.ErrMore
	}
	if magic := binary.BigEndian.Uint16(b[4:]); magic != headerMagic {
		return 0, 0, fmt.Errorf("thrift: header magic %#04x is not %#04x", magic, headerMagic)
	}
	start = headerFixed + 4*int(binary.BigEndian.Uint16(b[headerWordsAt:]))
	if int64(start)+minMessage > end {
		return 0, 0, fmt.Errorf("thrift: header of %d bytes in a frame of %d", start-headerFixed, end-4)
	}
	if len(b) < start {
		m.Need = start
		return 0, 0, codec.ErrMore
	}
	info, protocol, err := headerIDs(b[:start])
	if err != nil {
		return 0, 0, err
	}
	m.Memo = uint64(binary.BigEndian.Uint32(b[headerSeqAt:]))
	m.Notes[noteInfo] = wire.MakeSpan(info, start-info)
	if want.Has(propHeader) {
		if err := checkInfo(b, m, d.limits.Properties); err != nil {
			return 0, 0, err
		}
	}
	return start, protocol, nil
}

// headerIDs reads the protocol and refuses transforms: the method's name is
// under them, and rules that deny by name must not be passed by compressing.
func headerIDs(b []byte) (info int, protocol uint8, err error) {
	id, pos, err := varint32(b, headerFixed)
	if err != nil || pos > len(b) {
		return 0, 0, headerBroken(err)
	}
	n, pos, err := varint32(b, pos)
	if err != nil || pos > len(b) {
		return 0, 0, headerBroken(err)
	}
	if n != 0 {
		transform, _, err := varint32(b, pos)
		name := "unknown"
		if err == nil && transform > 0 && int(transform) < len(transformNames) {
			name = transformNames[transform]
		}
		return 0, 0, fmt.Errorf("thrift: THeader transforms hide the method and are not carried: %s, id %d", name, transform)
	}
	switch id {
	case headerBinary:
		return pos, 0, nil
	case headerCompact:
		return pos, compact, nil
	}
	return 0, 0, fmt.Errorf("thrift: THeader protocol id %d is neither binary (0) nor compact (2)", id)
}

func headerBroken(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("thrift: the THeader header ends too early")
}

// infoReader goes through the keys and values of info sections.
type infoReader struct {
	b     []byte // up to the payload
	pos   int
	left  uint32 // entries left in the section
	kind  uint32 // of the section
	rest  int    // at the end: where padding or sections of unknown kinds start
	err   error
	key   wire.Span
	value wire.Span
}

func readInfo(b []byte, m *codec.Message) infoReader {
	info := m.Notes[noteInfo]
	return infoReader{b: b[:info.End()], pos: int(info.Off)}
}

// next goes to the next entry; false at the end and at an error.
func (r *infoReader) next() bool {
	for r.left == 0 && r.err == nil {
		r.rest = r.pos
		if r.pos >= len(r.b) {
			return false
		}
		if r.kind = r.varint(); r.kind != infoKeyValue && r.kind != infoPersistent {
			return false // padding, or what old readers stop at too
		}
		r.left = r.varint()
	}
	r.left--
	r.key = r.span()
	r.value = r.span()
	return r.err == nil
}

func (r *infoReader) varint() uint32 {
	if r.err != nil {
		return 0
	}
	v, next, err := varint32(r.b, r.pos)
	if err != nil || next > len(r.b) {
		r.err = headerBroken(err)
		return 0
	}
	r.pos = next
	return v
}

func (r *infoReader) span() wire.Span {
	n := r.varint()
	if r.err == nil && int64(n) > int64(len(r.b)-r.pos) {
		r.err = fmt.Errorf("thrift: THeader string of %d bytes reaches over the header", n)
	}
	if r.err != nil {
		return wire.Span{}
	}
	s := wire.MakeSpan(r.pos, int(n))
	r.pos += int(n)
	return s
}

// checkInfo refuses headers that are not well formed or too many.
func checkInfo(b []byte, m *codec.Message, limit int) error {
	n := 0
	r := readInfo(b, m)
	for r.next() {
		if n++; n > limit {
			return fmt.Errorf("thrift: more than %d headers", limit)
		}
	}
	return r.err
}

// findHeader finds the value that a reader of the message takes: of several
// the last, and the message's own rather than the connection's.
func findHeader(b []byte, m *codec.Message, key string) (v wire.Span, ok bool) {
	if m.Variant&transportMask != header || len(b) < m.Head {
		return wire.Span{}, false
	}
	from := uint32(0)
	for r := readInfo(b, m); r.next(); {
		if string(r.key.Of(b)) == key && (from != infoKeyValue || r.kind == infoKeyValue) {
			v, ok, from = r.value, true, r.kind
		}
	}
	return v, ok
}
