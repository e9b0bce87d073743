package dubbo

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/wire"
)

// Tags of JSONB, fastjson2's binary form, as its JSONB.Constants and
// docs/JSONB/jsonb_format_en.md give them. Those of one range are named by
// its first.
const (
	jsonbInt2       = 0x30 // to 0x3f
	jsonbInt3       = 0x40 // to 0x47
	jsonbInt5       = 0x48
	jsonbASCII      = 0x49 // to 0x78: that many bytes of Latin-1, up to 47
	jsonbLatin1     = 0x79 // these with a length
	jsonbUTF8       = 0x7a
	jsonbUTF16      = 0x7b
	jsonbUTF16LE    = 0x7c
	jsonbUTF16BE    = 0x7d
	jsonbGB18030    = 0x7e
	jsonbSymbol     = 0x7f
	jsonbChar       = 0x90
	jsonbBinary     = 0x91
	jsonbTyped      = 0x92
	jsonbReference  = 0x93
	jsonbArrayOf    = 0x94 // to 0xa3: that many values
	jsonbArray      = 0xa4
	jsonbObjectEnd  = 0xa5
	jsonbObject     = 0xa6
	jsonbTime       = 0xa7
	jsonbDateTime   = 0xa8
	jsonbDate       = 0xa9
	jsonbZonedTime  = 0xaa
	jsonbMillis     = 0xab
	jsonbSeconds    = 0xac
	jsonbMinutes    = 0xad
	jsonbInstant    = 0xae
	jsonbNull       = 0xaf
	jsonbFalse      = 0xb0
	jsonbTrue       = 0xb1
	jsonbDouble0    = 0xb2
	jsonbDouble1    = 0xb3
	jsonbDoubleLong = 0xb4
	jsonbDouble     = 0xb5
	jsonbFloatInt   = 0xb6
	jsonbFloat      = 0xb7
	jsonbDecLong    = 0xb8
	jsonbDecimal    = 0xb9
	jsonbBigLong    = 0xba
	jsonbBig        = 0xbb
	jsonbShort      = 0xbc
	jsonbByte       = 0xbd
	jsonbLong9      = 0xbe
	jsonbLong5      = 0xbf
	jsonbLong3      = 0xc0 // to 0xc7
	jsonbLong2      = 0xc8 // to 0xd7
	jsonbLong       = 0xd8 // to 0xef
	jsonbASCIIMax   = 47
	jsonbIntMax     = 5 // bytes of the longest int
)

// jsonbFixed is the size, with its tag, of every value whose tag alone says
// it; 0 for the others.
var jsonbFixed = func() (t [256]uint8) {
	for tag := range 256 {
		switch {
		case tag < jsonbInt2, tag >= jsonbLong:
			t[tag] = 1
		case tag < jsonbInt3, tag >= jsonbLong2:
			t[tag] = 2
		case tag < jsonbInt5, tag >= jsonbLong3:
			t[tag] = 3
		case tag >= jsonbASCII && tag < jsonbLatin1:
			t[tag] = uint8(1 + tag - jsonbASCII)
		}
	}
	for tag, size := range map[byte]uint8{
		jsonbInt5: 5, jsonbLong5: 5, jsonbLong9: 9, jsonbShort: 3, jsonbByte: 2,
		jsonbNull: 1, jsonbFalse: 1, jsonbTrue: 1, jsonbDouble0: 1, jsonbDouble1: 1,
		jsonbDouble: 9, jsonbFloat: 5, jsonbDate: 5, jsonbMillis: 9, jsonbSeconds: 5, jsonbMinutes: 5,
	} {
		t[tag] = size
	}
	return t
}()

// jsonbValue reads the next value, or passes over it where rules cannot read it.
func (c *cursor) jsonbValue() (scalar, bool) {
	if c.off >= c.end {
		return scalar{}, false
	}
	at, tag := c.off, c.b[c.off]
	if tag >= jsonbASCII && tag < jsonbGB18030 {
		return c.jsonbText()
	}
	size := int(jsonbFixed[tag])
	if size == 0 || size > c.end-at {
		return scalar{}, c.jsonbSkip()
	}
	c.off += size
	switch tag {
	case jsonbNull:
		return scalar{kind: nullValue}, true
	case jsonbTrue:
		return scalar{kind: boolValue, num: 1}, true
	case jsonbFalse:
		return scalar{kind: boolValue}, true
	}
	if n, ok := jsonbNumber(c.b[at:c.off]); ok {
		return scalar{kind: intValue, num: n}, true
	}
	return scalar{}, true
}

// jsonbNumber decodes an integer of any width, whose size the caller has
// checked.
func jsonbNumber(b []byte) (int64, bool) {
	tag := int64(b[0])
	switch {
	case tag >= 0xf0, tag < jsonbInt2:
		return int64(int8(b[0])), true
	case tag < jsonbInt3:
		return (tag-0x38)<<8 | int64(b[1]), true
	case tag < jsonbInt5:
		return (tag-0x44)<<16 | int64(b[1])<<8 | int64(b[2]), true
	case tag == jsonbInt5, tag == jsonbLong5:
		return int64(int32(binary.BigEndian.Uint32(b[1:]))), true
	case tag == jsonbShort:
		return int64(int16(binary.BigEndian.Uint16(b[1:]))), true
	case tag == jsonbByte:
		return int64(int8(b[1])), true
	case tag == jsonbLong9:
		return int64(binary.BigEndian.Uint64(b[1:])), true
	case tag >= jsonbLong:
		return tag - jsonbLong - 8, true
	case tag >= jsonbLong2:
		return (tag-0xd0)<<8 | int64(b[1]), true
	case tag >= jsonbLong3:
		return (tag-0xc4)<<16 | int64(b[1])<<8 | int64(b[2]), true
	}
	return 0, false
}

// jsonbText reads a string, whose tag the caller has looked at.
func (c *cursor) jsonbText() (scalar, bool) {
	tag := c.b[c.off]
	c.off++
	n := int64(tag) - jsonbASCII
	if tag >= jsonbLatin1 {
		var ok bool
		if n, ok = c.jsonbLength(); !ok {
			return scalar{}, false
		}
	}
	if n > int64(c.end-c.off) {
		return scalar{}, false
	}
	v := scalar{kind: textValue, span: wire.MakeSpan(c.off, int(n))}
	c.off += int(n)
	switch tag {
	case jsonbUTF8:
	case jsonbUTF16LE:
		v.enc = utf16LEText
	case jsonbUTF16, jsonbUTF16BE:
		v.enc = utf16BEText
	default:
		if !asciiAt(c.b, c.off-int(n), c.off) {
			v.enc = latin1Text
		}
	}
	return v, true
}

func isASCII[T string | []byte](text T) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// jsonbLength reads an integer that counts bytes or values.
func (c *cursor) jsonbLength() (int64, bool) {
	n, ok := c.jsonbInteger()
	return n, ok && n >= 0
}

// jsonbInteger reads an integer; it stays where it is if there is none.
func (c *cursor) jsonbInteger() (int64, bool) {
	if c.off >= c.end {
		return 0, false
	}
	size := int(jsonbFixed[c.b[c.off]])
	if size == 0 || size > c.end-c.off {
		return 0, false
	}
	n, ok := jsonbNumber(c.b[c.off : c.off+size])
	if ok {
		c.off += size
	}
	return n, ok
}

// appendJSONBText appends text, which is UTF-8, as a string.
func appendJSONBText[T string | []byte](dst []byte, text T) []byte {
	switch ascii := isASCII(text); {
	case ascii && len(text) <= jsonbASCIIMax:
		dst = append(dst, jsonbASCII+byte(len(text)))
	case ascii:
		dst = appendJSONBLength(append(dst, jsonbLatin1), len(text))
	default:
		dst = appendJSONBLength(append(dst, jsonbUTF8), len(text))
	}
	return append(dst, text...)
}

// appendJSONBLength appends n ≥ 0 as an int.
func appendJSONBLength(dst []byte, n int) []byte {
	switch {
	case n < jsonbInt2:
		return append(dst, byte(n))
	case n < 1<<11:
		return append(dst, 0x38+byte(n>>8), byte(n))
	case n < 1<<18:
		return append(dst, 0x44+byte(n>>16), byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, jsonbInt5), uint32(n))
}
