package dubbo

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/wire"
)

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
