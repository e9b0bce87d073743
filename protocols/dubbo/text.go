package dubbo

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aeraki-mesh/aeraki/wire"
)

// utf8Of returns the text of a span of b as UTF-8: a view of b where it is
// that on the wire, else a view of scratch, to which it is appended.
func utf8Of(scratch []byte, b []byte, s wire.Span, enc encoding) (text, grown []byte) {
	raw := s.Of(b)
	if enc == utf8Text {
		return raw, scratch
	}
	from := len(scratch)
	switch enc {
	case cesu8Text:
		scratch = appendJoined(scratch, raw)
	case latin1Text:
		for _, c := range raw {
			scratch = utf8.AppendRune(scratch, rune(c))
		}
	case utf16LEText:
		scratch = appendUTF16(scratch, raw, binary.LittleEndian.Uint16)
	case utf16BEText:
		scratch = appendUTF16(scratch, raw, binary.BigEndian.Uint16)
	}
	return scratch[from:len(scratch):len(scratch)], scratch
}

func appendUTF16(dst, raw []byte, unit func([]byte) uint16) []byte {
	for ; len(raw) >= 2; raw = raw[2:] {
		r := rune(unit(raw))
		if utf16.IsSurrogate(r) && len(raw) >= 4 {
			if pair := utf16.DecodeRune(r, rune(unit(raw[2:]))); pair != utf8.RuneError {
				dst, raw = utf8.AppendRune(dst, pair), raw[2:]
				continue
			}
		}
		dst = utf8.AppendRune(dst, r) // U+FFFD for half a pair
	}
	return dst
}

// appendJoined appends UTF-8 with pairs of three-byte surrogates joined.
func appendJoined(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if hi, ok := surrogate(raw[i:]); ok {
			lo, _ := surrogate(raw[i+3:])
			if pair := utf16.DecodeRune(hi, lo); pair != utf8.RuneError {
				dst, i = utf8.AppendRune(dst, pair), i+6
				continue
			}
		}
		dst, i = append(dst, raw[i]), i+1
	}
	return dst
}

// surrogate decodes the three-byte surrogate at the start of b.
func surrogate(b []byte) (rune, bool) {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 {
		return 0, false
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), true
}

// runeLen returns the size of the first character of text, and whether it
// takes two UTF-16 units.
func runeLen[T string | []byte](text T) (size int, wide bool) {
	if text[0] < utf8.RuneSelf {
		return 1, false
	}
	r, size := decodeRune(text)
	return size, r > 0xffff
}

// appendCESU8 appends text with characters over U+FFFF as pairs of surrogates.
func appendCESU8[T string | []byte](dst []byte, text T) []byte {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			dst, i = append(dst, text[i]), i+1
			continue
		}
		r, size := decodeRune(text[i:])
		i += size
		if r <= 0xffff {
			dst = utf8.AppendRune(dst, r)
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		for _, half := range [2]rune{hi, lo} {
			dst = append(dst, 0xe0|byte(half>>12), 0x80|byte(half>>6)&0x3f, 0x80|byte(half)&0x3f)
		}
	}
	return dst
}

// decodeRune is utf8.DecodeRune for both kinds of text.
func decodeRune[T string | []byte](text T) (rune, int) {
	var head [utf8.UTFMax]byte
	return utf8.DecodeRune(head[:copy(head[:], text)])
}
