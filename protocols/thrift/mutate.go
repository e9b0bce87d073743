package thrift

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// maxHeader is the longest header that its 16-bit count of words can tell.
const maxHeader = 4 * 0xffff

// Mutate edits headers of the THeader transport; other transports have no
// place for them. The info sections are written anew, with the lengths of
// header and frame; the message itself stays as it is.
func (p *Protocol) Mutate(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	if m.Variant&transportMask != header {
		return codec.ErrNoCarrier
	}
	for i := range edits {
		if edits[i].Ref.Property != propHeader {
			return codec.ErrNoCarrier
		}
	}
	e := infoEditor{b: b, m: m, edits: edits}
	if !e.count() {
		return codec.ErrNoCarrier
	}
	info := m.Notes[noteInfo]
	patch.Open(int(info.Off), int(info.Len))
	from := len(patch.Ins)
	patch.Ins = e.append(patch.Ins)
	length := int(info.Off) - headerFixed + len(patch.Ins) - from
	for ; length%4 != 0; length++ {
		patch.Ins = append(patch.Ins, 0)
	}
	patch.Close()
	size := m.Size + int64(length-(info.End()-headerFixed))
	if length > maxHeader || size-4 > maxFrame {
		return codec.ErrNoCarrier
	}
	patch.Open(0, 4)
	patch.Ins = binary.BigEndian.AppendUint32(patch.Ins, uint32(size-4))
	patch.Close()
	patch.Open(headerWordsAt, 2)
	patch.Ins = binary.BigEndian.AppendUint16(patch.Ins, uint16(length/4))
	patch.Close()
	return nil
}

// infoEditor writes the info sections of a message anew: entries that no edit
// touches as they are, then the new ones.
type infoEditor struct {
	b      []byte
	m      *codec.Message
	edits  []codec.Edit
	kept   [infoPersistent + 1]int // entries that stay, by kind of section
	added  int
	opaque int // where sections of unknown kinds start
}

// outcome returns what all edits together make of a key: touched is false
// where they leave it as it is, value nil where they remove it.
func (e *infoEditor) outcome(key []byte, present bool) (value *codec.Edit, touched bool) {
	for i := range e.edits {
		edit := &e.edits[i]
		if edit.Ref.Key != string(key) || edit.Op == codec.Add && present {
			continue
		}
		present = edit.Op != codec.Remove
		value, touched = nil, true
		if present {
			value = edit
		}
	}
	return value, touched
}

// count fills in how many entries there will be; false where the sections are
// not well formed.
func (e *infoEditor) count() bool {
	r := readInfo(e.b, e.m)
	for r.next() {
		if _, touched := e.outcome(r.key.Of(e.b), true); !touched {
			e.kept[r.kind]++
		}
	}
	e.opaque = r.rest
	for i := range e.edits {
		if e.written(i) {
			e.added++
		}
	}
	return r.err == nil
}

// written reports whether edit i is the one whose value a key ends up with.
func (e *infoEditor) written(i int) bool {
	key := e.edits[i].Ref.Key
	_, present := findHeader(e.b, e.m, key)
	value, _ := e.outcome([]byte(key), present)
	return value == &e.edits[i]
}

// append writes the message's own headers before those of other kinds, since
// readers stop at the first kind that they do not know.
func (e *infoEditor) append(dst []byte) []byte {
	if n := e.kept[infoKeyValue] + e.added; n > 0 {
		dst = wire.AppendUvarint(append(dst, infoKeyValue), uint64(n))
		dst = e.appendKept(dst, infoKeyValue)
		for i := range e.edits {
			if e.written(i) {
				dst = wire.AppendUvarint(dst, uint64(len(e.edits[i].Ref.Key)))
				dst = append(dst, e.edits[i].Ref.Key...)
				dst = appendString(dst, e.edits[i].Value)
			}
		}
	}
	if n := e.kept[infoPersistent]; n > 0 {
		dst = wire.AppendUvarint(append(dst, infoPersistent), uint64(n))
		dst = e.appendKept(dst, infoPersistent)
	}
	if rest := e.b[e.opaque:e.m.Notes[noteInfo].End()]; len(rest) > 0 && rest[0] != 0 {
		dst = append(dst, rest...)
	}
	return dst
}

func (e *infoEditor) appendKept(dst []byte, kind uint32) []byte {
	for r := readInfo(e.b, e.m); r.next(); {
		key := r.key.Of(e.b)
		if r.kind != kind {
			continue
		}
		if _, touched := e.outcome(key, true); !touched {
			dst = appendString(appendString(dst, key), r.value.Of(e.b))
		}
	}
	return dst
}

// appendString appends a string of the compact protocol.
func appendString(dst, s []byte) []byte {
	return append(wire.AppendUvarint(dst, uint64(len(s))), s...)
}
