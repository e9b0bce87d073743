package dubbo

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/wire"
)

// Tags of the Hessian 2.0 Serialization Protocol, section 6 (bytecode map).
// Those of one range are named by its first.
const (
	hessianString      = 0x00 // to 0x1f: that many characters
	hessianBinary      = 0x20 // to 0x2f: that many bytes
	hessianString2     = 0x30 // to 0x33: up to 1,023 characters
	hessianBinary2     = 0x34 // to 0x37
	hessianLong3       = 0x38 // to 0x3f
	hessianBinaryChunk = 'A'
	hessianBinaryLast  = 'B'
	hessianClass       = 'C'
	hessianDouble      = 'D'
	hessianFalse       = 'F'
	hessianMap         = 'H'
	hessianInt5        = 'I'
	hessianDate        = 0x4a
	hessianMinutes     = 0x4b
	hessianLong9       = 'L'
	hessianTypedMap    = 'M'
	hessianNull        = 'N'
	hessianObject      = 'O'
	hessianRef         = 0x51
	hessianStringChunk = 'R'
	hessianStringLast  = 'S'
	hessianTrue        = 'T'
	hessianTypedOpen   = 0x55 // list: type, values, end
	hessianTypedList   = 'V'  // list: type, count, values
	hessianOpen        = 0x57 // list: values, end
	hessianList        = 0x58 // list: count, values
	hessianLong5       = 0x59
	hessianEnd         = 'Z'
	hessianDouble0     = 0x5b
	hessianDouble1     = 0x5c
	hessianDouble2     = 0x5d
	hessianDouble3     = 0x5e
	hessianDouble5     = 0x5f
	hessianObjectOf    = 0x60 // to 0x6f: of that class definition
	hessianTypedOf     = 0x70 // to 0x77: typed list of that many values
	hessianListOf      = 0x78 // to 0x7f: list of that many values
	hessianInt         = 1    // bytes of an integer from -16 to 47
	hessianZero        = 0x90 // the integer 0, in one byte
)

// hessianFixed is the size, with its tag, of every value whose tag alone says
// it; 0 for the others.
var hessianFixed = func() (t [256]uint8) {
	fill := func(from, to int, size uint8) {
		for i := from; i <= to; i++ {
			t[i] = size
		}
	}
	for i := range 16 {
		t[hessianBinary+i] = uint8(1 + i)
	}
	fill(hessianString, hessianString, 1)
	fill(hessianLong3, 0x3f, 3)
	fill(hessianDouble0, hessianDouble1, 1)
	fill(0x80, 0xbf, 1)
	fill(0xc0, 0xcf, 2)
	fill(0xd0, 0xd7, 3)
	fill(0xd8, 0xef, 1)
	fill(0xf0, 0xff, 2)
	for tag, size := range map[byte]uint8{
		hessianFalse: 1, hessianTrue: 1, hessianNull: 1, hessianInt5: 5, hessianLong5: 5, hessianLong9: 9,
		hessianDate: 9, hessianMinutes: 5, hessianDouble: 9, hessianDouble2: 2, hessianDouble3: 3, hessianDouble5: 5,
	} {
		t[tag] = size
	}
	return t
}()

// hessianValue reads the next value, or passes over it where rules cannot
// read it.
func (c *cursor) hessianValue() (scalar, bool) {
	if c.off >= c.end {
		return scalar{}, false
	}
	tag := c.b[c.off]
	if tag < hessianBinary {
		start := c.off + 1
		if end := start + int(tag); end <= c.end && asciiAt(c.b, start, end) {
			c.off = end
			return scalar{kind: textValue, span: wire.MakeSpan(start, int(tag))}, true
		}
	}
	if tag < hessianBinary || tag >= hessianString2 && tag < hessianBinary2 || tag == hessianStringLast {
		return c.hessianText()
	}
	at := c.off
	size := int(hessianFixed[tag])
	if size == 0 || size > c.end-at {
		return scalar{}, c.hessianSkip()
	}
	c.off += size
	b := c.b[at:c.off]
	switch {
	case tag == hessianNull:
		return scalar{kind: nullValue}, true
	case tag == hessianTrue:
		return scalar{kind: boolValue, num: 1}, true
	case tag == hessianFalse:
		return scalar{kind: boolValue}, true
	}
	if n, ok := hessianNumber(b); ok {
		return scalar{kind: intValue, num: n}, true
	}
	return scalar{}, true
}

// hessianNumber decodes an int (section 4.5) or a long (4.7), whose size the
// caller has checked.
func hessianNumber(b []byte) (int64, bool) {
	tag := int64(b[0])
	switch {
	case tag >= 0x80 && tag <= 0xbf:
		return tag - hessianZero, true
	case tag >= 0xc0 && tag <= 0xcf:
		return (tag-0xc8)<<8 | int64(b[1]), true
	case tag >= 0xd0 && tag <= 0xd7:
		return (tag-0xd4)<<16 | int64(b[1])<<8 | int64(b[2]), true
	case tag >= 0xd8 && tag <= 0xef:
		return tag - 0xe0, true
	case tag >= 0xf0:
		return (tag-0xf8)<<8 | int64(b[1]), true
	case tag >= hessianLong3 && tag <= 0x3f:
		return (tag-0x3c)<<16 | int64(b[1])<<8 | int64(b[2]), true
	case tag == hessianInt5, tag == hessianLong5:
		return int64(int32(binary.BigEndian.Uint32(b[1:]))), true
	case tag == hessianLong9:
		return int64(binary.BigEndian.Uint64(b[1:])), true
	}
	return 0, false
}

// hessianCount reads an int that counts or numbers something.
func (c *cursor) hessianCount() (int64, bool) {
	if c.off >= c.end {
		return 0, false
	}
	tag := c.b[c.off]
	size := int(hessianFixed[tag])
	if size == 0 || size > c.end-c.off || tag != hessianInt5 && (tag < 0x80 || tag > 0xd7) {
		return 0, false
	}
	n, ok := hessianNumber(c.b[c.off : c.off+size])
	c.off += size
	return n, ok && n >= 0
}
