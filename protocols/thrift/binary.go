package thrift

import (
	"encoding/binary"
	"fmt"
)

// strictFirst is the first byte of a strict binary message; the word's upper
// half is the version with the highest bit set.
const (
	strictFirst   = 0x80
	strictVersion = 0x8001
)

// The types of fields and elements in the binary protocol.
const (
	binaryStop   = 0
	binaryI32    = 8
	binaryString = 11
	binaryStruct = 12
	binaryMap    = 13
	binarySet    = 14
	binaryList   = 15
)

// binaryFixed holds the length of values whose type fixes it: bool, byte,
// double, i16, i32, i64, uuid.
var binaryFixed = [32]uint8{2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8, 16: 16}

// binaryLeast holds the length of the shortest value of each type; 0 where
// there is no such type.
var binaryLeast = [32]uint8{2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8, 16: 16,
	binaryString: 4, binaryStruct: 1, binaryMap: 6, binarySet: 5, binaryList: 5}

// binary reads a strict or unversioned message header. end bounds the message.
func (h *head) binary(b []byte, at int, end int64) error {
	if len(b) < at+8 {
		return h.more(at + 8)
	}
	h.protocol, h.kind, h.name = binaryStrict, b[at+3], at+8
	n := int64(binary.BigEndian.Uint32(b[at+4:]))
	if word := binary.BigEndian.Uint16(b[at:]); word&0x8000 == 0 {
		h.protocol, h.name = binaryOld, at+4
		n = int64(binary.BigEndian.Uint32(b[at:]))
	} else if word != strictVersion {
		return fmt.Errorf("thrift: binary protocol version %#04x is not %#04x", word, strictVersion)
	} else if err := checkType(h.kind); err != nil {
		return err
	}
	tail := int64(5) // sequence id and stop
	if h.protocol == binaryOld {
		tail++ // the type stands behind the name
	}
	if err := checkName(int64(h.name), n, tail, end); err != nil {
		return err
	}
	h.nlen = int(n)
	h.end = h.name + h.nlen + int(tail) - 1
	h.seqAt = h.end - 4
	if len(b) < h.end {
		return h.more(h.end)
	}
	if h.protocol == binaryOld {
		h.kind = b[h.seqAt-1]
		if err := checkType(h.kind); err != nil {
			return err
		}
	}
	h.seq = binary.BigEndian.Uint32(b[h.seqAt:])
	return h.binaryResult(b, end)
}

// binaryResult looks at the id of a reply's first field: 0 is the return
// value, others are declared exceptions.
func (h *head) binaryResult(b []byte, end int64) error {
	if h.kind != typeReply {
		return nil
	}
	if len(b) <= h.end {
		return h.more(h.end + 1)
	}
	if b[h.end] == binaryStop {
		return nil
	}
	if int64(h.end)+3 > end {
		return fmt.Errorf("thrift: a reply's first field reaches over the message's %d bytes", end)
	}
	if len(b) < h.end+3 {
		return h.more(h.end + 3)
	}
	h.firstField = binary.BigEndian.Uint16(b[h.end+1:]) != 0
	return nil
}

// binaryField passes the field or the stop at pos; see step.
func (d *decoder) binaryField(b []byte, pos int) (int, error) {
	if pos >= len(b) {
		return pos + 1, nil
	}
	if b[pos] == binaryStop {
		d.pop()
		return pos + 1, nil
	}
	if pos+3 > len(b) {
		return pos + 3, nil
	}
	return d.binaryValue(b, pos+3, b[pos])
}

// binaryValue passes a value, or only the header of one that it pushes.
func (d *decoder) binaryValue(b []byte, pos int, t uint8) (int, error) {
	switch t {
	case binaryString:
		if pos+4 > len(b) {
			return pos + 4, nil
		}
		return d.pass(pos+4, int64(int32(binary.BigEndian.Uint32(b[pos:]))), 1)
	case binaryStruct:
		return pos, d.push(level{kind: inStruct})
	case binaryList, binarySet:
		if pos+5 > len(b) {
			return pos + 5, nil
		}
		n := int64(int32(binary.BigEndian.Uint32(b[pos+1:])))
		return d.container(pos+5, n, level{kind: inList, key: b[pos], value: b[pos]}, &binaryFixed, &binaryLeast)
	case binaryMap:
		if pos+6 > len(b) {
			return pos + 6, nil
		}
		n := int64(int32(binary.BigEndian.Uint32(b[pos+2:])))
		return d.container(pos+6, n, level{kind: inMap, key: b[pos], value: b[pos+1]}, &binaryFixed, &binaryLeast)
	}
	if t < 32 && binaryFixed[t] != 0 {
		return pos + int(binaryFixed[t]), nil
	}
	return 0, fmt.Errorf("thrift: unknown field type %d", t)
}
