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

// hessianText reads a string that is one piece.
func (c *cursor) hessianText() (scalar, bool) {
	start, end, enc, ok := c.hessianPiece()
	c.off = end
	return scalar{kind: textValue, enc: enc, span: wire.MakeSpan(start, end-start)}, ok
}

// hessianPiece finds the bytes of the string, or piece of a string, at off.
func (c *cursor) hessianPiece() (start, end int, enc encoding, ok bool) {
	if c.off >= c.end {
		return 0, c.off, 0, false
	}
	tag, head, units := c.b[c.off], 1, 0
	switch {
	case tag < hessianBinary:
		units = int(tag)
	case tag >= hessianString2 && tag < hessianBinary2 && c.end-c.off > 1:
		head, units = 2, int(tag-hessianString2)<<8|int(c.b[c.off+1])
	case (tag == hessianStringLast || tag == hessianStringChunk) && c.end-c.off > 2:
		head, units = 3, int(binary.BigEndian.Uint16(c.b[c.off+1:]))
	default:
		return 0, c.off, 0, false
	}
	start = c.off + head
	end, enc, ok = skipUnits(c.b[:c.end], start, units)
	return start, end, enc, ok
}

// high has the bits that no ASCII character has.
const high uint64 = 0x8080808080808080

// asciiAt reports whether all of b[start:end] is ASCII, for a start behind the
// header.
func asciiAt(b []byte, start, end int) bool {
	for ; start+8 <= end; start += 8 {
		if binary.LittleEndian.Uint64(b[start:])&high != 0 {
			return false
		}
	}
	last := binary.LittleEndian.Uint64(b[end-8:]) // the bytes left are its highest
	return last&(high<<((8-uint(end-start))*8)) == 0
}

// skipUnits passes over n UTF-16 code units, in which Hessian counts the
// length of strings, written as UTF-8 from off on.
func skipUnits(b []byte, off, n int) (end int, enc encoding, ok bool) {
	for n >= 32 && len(b)-off >= 32 {
		p := b[off : off+32 : off+32]
		if (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|
			binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]))&high != 0 {
			break
		}
		off, n = off+32, n-32
	}
	for n > 0 && off < len(b) {
		if n >= 8 && len(b)-off >= 8 && binary.LittleEndian.Uint64(b[off:])&high == 0 {
			off, n = off+8, n-8
			continue
		}
		switch lead := b[off]; {
		case lead < 0x80:
			off, n = off+1, n-1
		case lead>>5 == 0x6:
			off, n = off+2, n-1
		case lead>>4 == 0xe:
			if lead == 0xed && off+1 < len(b) && b[off+1] >= 0xa0 {
				enc = cesu8Text // a surrogate
			}
			off, n = off+3, n-1
		case lead>>3 == 0x1e:
			off, n = off+4, n-2 // a pair that the peer wrote as UTF-8 has it
		default:
			return off, enc, false
		}
	}
	return off, enc, n == 0 && off <= len(b)
}

// hessianSkip passes over one value.
func (c *cursor) hessianSkip() bool {
	c.stack = c.stack[:0]
	for {
		s := c.hessianStep()
		if s == fault {
			return false
		}
		if !c.settle(s) {
			return true
		}
	}
}

// hessianStep passes over one tag and its own bytes.
func (c *cursor) hessianStep() step {
	if c.off >= c.end {
		return fault
	}
	tag := c.b[c.off]
	if size := int(hessianFixed[tag]); size > 0 {
		c.off += size
		return complete(c.off <= c.end)
	}
	switch {
	case tag < hessianBinary, tag >= hessianString2 && tag < hessianBinary2,
		tag == hessianStringLast, tag == hessianStringChunk:
		return complete(c.hessianString())
	case tag >= hessianObjectOf && tag < hessianTypedOf:
		c.off++
		return c.hessianFields(int64(tag - hessianObjectOf))
	case tag >= hessianTypedOf && tag < hessianListOf:
		c.off++
		return c.hessianValues(c.hessianType(), int64(tag-hessianTypedOf))
	case tag >= hessianListOf && tag < 0x80:
		c.off++
		return c.hessianValues(true, int64(tag-hessianListOf))
	}
	return c.hessianNamed(tag)
}

// hessianNamed is hessianStep for the tags that are letters.
func (c *cursor) hessianNamed(tag byte) step {
	switch tag {
	case hessianBinary2, hessianBinary2 + 1, hessianBinary2 + 2, hessianBinary2 + 3,
		hessianBinaryChunk, hessianBinaryLast:
		return complete(c.hessianBytes())
	}
	c.off++
	switch tag {
	case hessianMap:
		return c.open(keyOrEnd)
	case hessianTypedMap:
		return c.openAfter(c.hessianType(), keyOrEnd)
	case hessianOpen:
		return c.open(valueOrEnd)
	case hessianTypedOpen:
		return c.openAfter(c.hessianType(), valueOrEnd)
	case hessianList:
		n, ok := c.hessianCount()
		return c.hessianValues(ok, n)
	case hessianTypedList:
		typed := c.hessianType()
		n, ok := c.hessianCount()
		return c.hessianValues(typed && ok, n)
	case hessianObject:
		n, ok := c.hessianCount()
		if !ok {
			return fault
		}
		return c.hessianFields(n)
	case hessianRef:
		_, ok := c.hessianCount()
		return complete(ok)
	case hessianClass:
		return c.hessianDefine()
	}
	return fault
}

func complete(ok bool) step {
	if ok {
		return whole
	}
	return fault
}

func (c *cursor) open(left int32) step { return c.openAfter(true, left) }

// openAfter opens a structure if what stood before it was read.
func (c *cursor) openAfter(ok bool, left int32) step {
	if ok && c.push(left) {
		return opened
	}
	return fault
}

// hessianValues opens a structure of n values. Each takes at least a byte.
func (c *cursor) hessianValues(ok bool, n int64) step {
	if !ok || n < 0 || n > int64(c.end-c.off) {
		return fault
	}
	if n == 0 {
		c.compound = true
		return whole
	}
	return c.open(int32(n))
}

// hessianFields opens an object of a class defined before.
func (c *cursor) hessianFields(class int64) step {
	c.objects = true
	if class < 0 || class >= int64(len(c.defs)) {
		return fault
	}
	return c.hessianValues(true, int64(c.defs[class]))
}

// hessianDefine passes over a class definition: its name, the number of its
// fields, their names (section 4.10.1). An object of it, or of another class,
// or any value follows.
func (c *cursor) hessianDefine() step {
	c.compound, c.objects = true, true
	if !c.hessianString() {
		return fault
	}
	n, ok := c.hessianCount()
	if !ok || n > int64(c.end-c.off) {
		return fault
	}
	for range n {
		if !c.hessianString() {
			return fault
		}
	}
	c.defs = append(c.defs, uint32(n))
	return prefix
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

// hessianType passes over the type of a list or map: its name, or the number
// of one named before (section 4.14).
func (c *cursor) hessianType() bool {
	if _, ok := c.hessianCount(); ok {
		return true
	}
	return c.hessianString()
}

// hessianString passes over a string of any number of pieces.
func (c *cursor) hessianString() bool {
	for {
		more := c.off < c.end && c.b[c.off] == hessianStringChunk
		_, end, _, ok := c.hessianPiece()
		c.off = end
		if !ok || !more {
			return ok
		}
	}
}

// hessianBytes passes over a binary value of any number of pieces.
func (c *cursor) hessianBytes() bool {
	for {
		left := c.end - c.off
		if left < 1 {
			return false
		}
		tag, head, n := c.b[c.off], 1, 0
		switch {
		case tag >= hessianBinary && tag < hessianString2:
			n = int(tag - hessianBinary)
		case tag >= hessianBinary2 && tag < hessianLong3 && left > 1:
			head, n = 2, int(tag-hessianBinary2)<<8|int(c.b[c.off+1])
		case (tag == hessianBinaryChunk || tag == hessianBinaryLast) && left > 2:
			head, n = 3, int(binary.BigEndian.Uint16(c.b[c.off+1:]))
		default:
			return false
		}
		if c.off += head + n; c.off > c.end {
			return false
		}
		if tag != hessianBinaryChunk {
			return true
		}
	}
}

// hessianOpenMap enters a map, or passes over a null.
func (c *cursor) hessianOpenMap() (there, ok bool) {
	if c.off >= c.end {
		return false, false
	}
	tag := c.b[c.off]
	c.off++
	switch tag {
	case hessianNull:
		return false, true
	case hessianMap:
		return true, true
	case hessianTypedMap:
		return true, c.hessianType()
	}
	return false, false
}

// hessianOpenList enters a list and returns the number of its values, -1
// where an end follows the last.
func (c *cursor) hessianOpenList() (n int64, ok bool) {
	if c.off >= c.end {
		return 0, false
	}
	tag := c.b[c.off]
	c.off++
	switch {
	case tag == hessianOpen:
		return -1, true
	case tag == hessianTypedOpen:
		return -1, c.hessianType()
	case tag == hessianList:
		return c.hessianCount()
	case tag == hessianTypedList:
		if !c.hessianType() {
			return 0, false
		}
		return c.hessianCount()
	case tag >= hessianTypedOf && tag < hessianListOf:
		return int64(tag - hessianTypedOf), c.hessianType()
	case tag >= hessianListOf && tag < 0x80:
		return int64(tag - hessianListOf), true
	}
	return 0, false
}

// appendHessianText appends text, which is UTF-8, as a string: in pieces of at
// most 32,768 units, characters over U+FFFF as surrogates of three bytes each,
// as hessian-lite writes them. Invalid bytes become U+FFFD.
func appendHessianText[T string | []byte](dst []byte, text T) []byte {
	const piece = 32768
	for {
		units, n := 0, 0
		for n < len(text) && units < piece-1 {
			size, wide := runeLen(text[n:])
			n += size
			units++
			if wide {
				units++
			}
		}
		if n < len(text) {
			dst = append(dst, hessianStringChunk, byte(units>>8), byte(units))
			dst = appendCESU8(dst, text[:n])
			text = text[n:]
			continue
		}
		switch {
		case units < hessianBinary:
			dst = append(dst, byte(units))
		case units < 1024:
			dst = append(dst, hessianString2+byte(units>>8), byte(units))
		default:
			dst = append(dst, hessianStringLast, byte(units>>8), byte(units))
		}
		return appendCESU8(dst, text)
	}
}
