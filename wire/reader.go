// Package wire holds what every codec needs to look at bytes and to write
// them: a sticky Reader, spans, patches, and Append functions for the integer
// encodings that encoding/binary lacks. It knows no protocol and no socket.
package wire

import "encoding/binary"

// Span is a part of a message, as offsets from the message's first byte.
// The zero Span is empty.
type Span struct {
	Off, Len uint32
}

// Of returns the bytes of s in b, the message's bytes. It returns nil where s
// reaches beyond b, so that a span noted by mistake cannot panic.
func (s Span) Of(b []byte) []byte {
	end := uint64(s.Off) + uint64(s.Len)
	if end > uint64(len(b)) {
		return nil
	}
	return b[s.Off:end:end]
}

// End returns the offset behind the span's last byte.
func (s Span) End() int { return int(s.Off) + int(s.Len) }

// MakeSpan returns the span of n bytes at off. Both must be in [0, 2³²).
func MakeSpan(off, n int) Span { return Span{Off: uint32(off), Len: uint32(n)} }

// Reader reads big-endian integers and byte strings from a slice. It is
// sticky: once a read went beyond the end, Short reports true and every later
// read returns zero, so a decoder reads like the layout it decodes and checks
// once. The zero Reader is an empty one; Reset points it at bytes.
type Reader struct {
	b     []byte
	off   int
	need  int // total bytes that the read which failed asked for
	short bool
}

// NewReader returns a Reader over b, starting at off.
func NewReader(b []byte, off int) Reader { return Reader{b: b, off: off} }

// Off returns the offset of the next byte.
func (r *Reader) Off() int { return r.off }

// Left returns the number of bytes not read yet.
func (r *Reader) Left() int { return len(r.b) - r.off }

// Short reports whether a read asked for more bytes than there are.
func (r *Reader) Short() bool { return r.short }

// Need returns how many bytes the slice would have to hold for the first read
// that failed; 0 while none did.
func (r *Reader) Need() int { return r.need }

// take returns the next n bytes, or nil once the Reader is short. A negative
// n (a length that overflowed) makes it short too.
func (r *Reader) take(n int) []byte {
	if r.short || n < 0 || n > len(r.b)-r.off {
		if !r.short {
			r.short = true
			r.need = len(r.b) + 1
			if n > 0 && r.off <= int(^uint(0)>>1)-n {
				r.need = r.off + n
			}
		}
		return nil
	}
	p := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return p
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

// U16 reads a big-endian 16-bit integer.
func (r *Reader) U16() uint16 {
	if p := r.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

// U32 reads a big-endian 32-bit integer.
func (r *Reader) U32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// I32 reads a big-endian 32-bit integer in two's complement.
func (r *Reader) I32() int32 { return int32(r.U32()) }

// U64 reads a big-endian 64-bit integer.
func (r *Reader) U64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// Bytes reads n bytes as a view of the slice.
func (r *Reader) Bytes(n int) []byte { return r.take(n) }

// Span reads n bytes and returns where they stand.
func (r *Reader) Span(n int) Span {
	off := r.off
	if r.take(n) == nil {
		return Span{}
	}
	return MakeSpan(off, n)
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.take(n) }

// Uvarint reads an unsigned LEB128 integer of at most 64 bits. A longer one
// makes the Reader short with a Need of 0, which no more bytes can mend.
func (r *Reader) Uvarint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c := r.U8()
		if r.short {
			return 0
		}
		if shift == 63 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.short, r.need = true, 0
	return 0
}

// Zigzag reads a zigzag-coded LEB128 integer.
func (r *Reader) Zigzag() int64 {
	u := r.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// AppendUvarint appends v as unsigned LEB128.
func AppendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendZigzag appends v zigzag-coded as LEB128.
func AppendZigzag(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}
