package thrift

import (
	"fmt"
)

// compactID is the first byte of a compact message.
const (
	compactID      = 0x82
	compactVersion = 1
)

// The types of fields and elements in the compact protocol. 4 to 6 are the
// varints i16, i32 and i64.
const (
	compactTrue   = 1
	compactFalse  = 2
	compactI16    = 4
	compactI32    = 5
	compactI64    = 6
	compactString = 8
	compactList   = 9
	compactSet    = 10
	compactMap    = 11
	compactStruct = 12
)

// compactFixed holds the length of elements whose type fixes it: bool, byte,
// double, uuid.
var compactFixed = [32]uint8{1: 1, 2: 1, 3: 1, 7: 8, 13: 16}

// compactLeast holds the length of the shortest element of each type; 0 where
// there is no such type.
var compactLeast = [32]uint8{1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 8,
	compactString: 1, compactList: 1, compactSet: 1, compactMap: 1, compactStruct: 1, 13: 16}

// compact reads a message header: id, type and version, sequence id, name.
func (h *head) compact(b []byte, at int, end int64) error {
	if len(b) < at+minMessage {
		return h.more(at + minMessage)
	}
	if b[at] != compactID || b[at+1]&0x1f != compactVersion {
		return fmt.Errorf("thrift: compact protocol with id %#02x, version %d", b[at], b[at+1]&0x1f)
	}
	h.protocol, h.kind = compact, b[at+1]>>5
	if err := checkType(h.kind); err != nil {
		return err
	}
	seq, pos, err := varint32(b, at+2)
	if err != nil || pos > len(b) {
		return h.moreOr(err, pos)
	}
	n, pos, err := varint32(b, pos)
	if err != nil || pos > len(b) {
		return h.moreOr(err, pos)
	}
	if err := checkName(int64(pos), int64(n), 1, end); err != nil {
		return err
	}
	h.seq, h.name, h.nlen, h.end = seq, pos, int(n), pos+int(n)
	if len(b) < h.end {
		return h.more(h.end)
	}
	return h.compactResult(b, end)
}

// compactResult looks at the id of a reply's first field, as binaryResult.
// The return value's id 0 has no short form: a delta is 1 at least.
func (h *head) compactResult(b []byte, end int64) error {
	if h.kind != typeReply {
		return nil
	}
	if len(b) <= h.end {
		return h.more(h.end + 1)
	}
	if b[h.end]&0x0f == 0 {
		return nil
	}
	h.firstField = true
	if b[h.end]>>4 != 0 {
		return nil
	}
	if int64(h.end)+2 > end {
		return fmt.Errorf("thrift: a reply's first field reaches over the message's %d bytes", end)
	}
	if len(b) < h.end+2 {
		return h.more(h.end + 2)
	}
	h.firstField = b[h.end+1] != 0
	return nil
}

// moreOr is err, or that a varint is not whole without n bytes.
func (h *head) moreOr(err error, n int) error {
	if err != nil {
		return err
	}
	return h.more(n)
}

// varint32 reads an unsigned integer of 32 bits in at most five bytes at pos.
// A position over len(b) says that it is not whole.
func varint32(b []byte, pos int) (v uint32, next int, err error) {
	for shift := 0; shift < 35; shift += 7 {
		if pos >= len(b) {
			return 0, len(b) + 1, nil
		}
		c := b[pos]
		pos++
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v, pos, nil
		}
	}
	return 0, 0, fmt.Errorf("thrift: a varint at byte %d is over 32 bits", pos)
}

// passVarint passes an integer of at most 64 bits, ten bytes.
func passVarint(b []byte, pos int) (int, error) {
	for i := pos; i < pos+10; i++ {
		if i >= len(b) {
			return len(b) + 1, nil
		}
		if b[i] < 0x80 {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("thrift: a varint at byte %d is over 64 bits", pos)
}

// compactField passes the field or the stop at pos; see step.
func (d *decoder) compactField(b []byte, pos int) (int, error) {
	if pos >= len(b) {
		return pos + 1, nil
	}
	c := b[pos]
	if c&0x0f == 0 {
		d.pop()
		return pos + 1, nil
	}
	pos++
	if c>>4 == 0 { // the id is written out
		var err error
		if pos, err = passVarint(b, pos); err != nil || pos > len(b) {
			return pos, err
		}
	}
	if t := c & 0x0f; t != compactTrue && t != compactFalse { // a bool's type is its value
		return d.compactValue(b, pos, t)
	}
	return pos, nil
}

// compactValue passes a value, or only the header of one that it pushes.
func (d *decoder) compactValue(b []byte, pos int, t uint8) (int, error) {
	switch {
	case t >= compactI16 && t <= compactI64:
		return passVarint(b, pos)
	case t == compactString:
		n, pos, err := varint32(b, pos)
		if err != nil || pos > len(b) {
			return pos, err
		}
		return d.pass(pos, int64(n), 1)
	case t == compactStruct:
		return pos, d.push(level{kind: inStruct})
	case t == compactList, t == compactSet:
		if pos >= len(b) {
			return pos + 1, nil
		}
		c := b[pos]
		n, pos := uint32(c>>4), pos+1
		if n == 15 {
			var err error
			if n, pos, err = varint32(b, pos); err != nil || pos > len(b) {
				return pos, err
			}
		}
		return d.container(pos, int64(int32(n)), level{kind: inList, key: c & 0x0f, value: c & 0x0f}, &compactFixed, &compactLeast)
	case t == compactMap:
		n, pos, err := varint32(b, pos)
		if err != nil || pos > len(b) || n == 0 { // an empty map has no types
			return pos, err
		}
		if pos >= len(b) {
			return pos + 1, nil
		}
		return d.container(pos+1, int64(int32(n)), level{kind: inMap, key: b[pos] >> 4, value: b[pos] & 0x0f}, &compactFixed, &compactLeast)
	case compactFixed[t] != 0:
		return pos + int(compactFixed[t]), nil
	}
	return 0, fmt.Errorf("thrift: unknown field type %d", t)
}
