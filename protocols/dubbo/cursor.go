package dubbo

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/wire"
)

// cursor reads the values of one body, front to back, in Hessian2 or JSONB.
// It decodes what it is asked for and passes over the rest; every byte is
// looked at once, nested structures are kept on an explicit stack, and no
// length from the wire allocates anything. Reads report false at the first
// fault; the cursor is of no use after that.
type cursor struct {
	b     []byte // the message; reading stops at its end
	off   int
	end   int // of what may be read: the body, or the JSONB document
	json  bool
	depth int // nesting allowed

	stack    []int32  // open structures, outermost first: see left, keyOrEnd, …
	defs     []uint32 // Hessian: the fields of each class defined so far
	compound bool     // a structure or a class definition was met
	objects  bool     // a Hessian object or class definition was met
}

// What a structure on the stack waits for: a positive number of values, or
const (
	keyOrEnd   int32 = -1 // of a map: its next key or its end
	mapValue   int32 = -2 // of a map: the value of the key just read
	valueOrEnd int32 = -3 // of a list: its next value or its end
)

// docLen is the length field before each JSONB document of a body: Dubbo's
// FastJson2ObjectOutput writes every value as a document of its own.
const docLen = 4

// encoding says how the bytes of a text are to be read.
type encoding uint8

const (
	utf8Text   encoding = iota // also Hessian's, where it has no surrogates
	cesu8Text                  // Hessian: characters over U+FFFF as two surrogates of 3 bytes
	latin1Text                 // JSONB, with bytes over 0x7f
	utf16LEText
	utf16BEText
)

// scalarKind says what a value is.
type scalarKind uint8

const (
	otherValue scalarKind = iota // a structure, a float, a date, …: passed over
	nullValue
	textValue
	intValue
	boolValue
)

// scalar is a value that rules can read.
type scalar struct {
	kind scalarKind
	enc  encoding
	span wire.Span // of a text
	num  int64     // of an integer; of a boolean 0 or 1
}

// start points the cursor at b[off:], in the serialization of the message.
func (c *cursor) start(b []byte, off int, variant uint8, depth int) {
	c.b, c.off, c.end = b, off, len(b)
	c.json, c.depth = variant == fastjson2, depth
	c.stack, c.defs = c.stack[:0], c.defs[:0]
	c.compound, c.objects = false, false
}

// value reads the next value of the body.
func (c *cursor) value() (scalar, bool) {
	if !c.json {
		return c.hessianValue()
	}
	end, ok := c.openDoc()
	if !ok {
		return scalar{}, false
	}
	v, ok := c.jsonbValue()
	return v, ok && c.closeDoc(end)
}

// skip passes over the next value of the body.
func (c *cursor) skip() bool {
	if !c.json {
		return c.hessianSkip()
	}
	end, ok := c.openDoc()
	c.off = c.end
	return ok && c.closeDoc(end)
}

// element reads a value inside of a structure.
func (c *cursor) element() (scalar, bool) {
	if c.json {
		return c.jsonbValue()
	}
	return c.hessianValue()
}

// openDoc enters a JSONB document and returns the end of the body, which
// closeDoc takes back.
func (c *cursor) openDoc() (end int, ok bool) {
	if c.end-c.off < docLen {
		return c.end, false
	}
	n := int64(int32(binary.BigEndian.Uint32(c.b[c.off:])))
	end = c.end
	c.off += docLen
	if n < 1 || n > int64(c.end-c.off) {
		return end, false
	}
	c.end = c.off + int(n)
	return end, true
}

// closeDoc leaves a JSONB document, all of which must have been read.
func (c *cursor) closeDoc(end int) bool {
	whole := c.off == c.end
	c.end = end
	return whole
}

// openMap enters a map, which is the next value of the body. A null in its
// place is a map with no entries and no place for any: there is false.
func (c *cursor) openMap() (end int, there, ok bool) {
	end = c.end
	if c.json {
		if end, ok = c.openDoc(); !ok {
			return end, false, false
		}
		there, ok = c.jsonbOpenMap()
		return end, there, ok
	}
	there, ok = c.hessianOpenMap()
	return end, there, ok
}

// atEnd passes over the end of the map that openMap entered, if it stands here.
func (c *cursor) atEnd() bool {
	mark := byte(hessianEnd)
	if c.json {
		mark = jsonbObjectEnd
	}
	if c.off < c.end && c.b[c.off] == mark {
		c.off++
		return true
	}
	return false
}

// push opens a structure. It fails where the nesting is too deep.
func (c *cursor) push(left int32) bool {
	c.compound = true
	if len(c.stack) >= c.depth {
		return false
	}
	c.stack = append(c.stack, left)
	return true
}

// done accounts for a value that was read in the innermost structure. It
// reports true where that was the structure's last one and closes it.
func (c *cursor) done() bool {
	top := &c.stack[len(c.stack)-1]
	switch *top {
	case keyOrEnd:
		*top = mapValue
		return false
	case mapValue:
		*top = keyOrEnd
	case valueOrEnd:
	default:
		if *top--; *top > 0 {
			return false
		}
		c.stack = c.stack[:len(c.stack)-1]
		return true
	}
	return c.closes()
}

// closes passes over the end of the innermost structure, if it stands here.
func (c *cursor) closes() bool {
	top := c.stack[len(c.stack)-1]
	if top != keyOrEnd && top != valueOrEnd || !c.atEnd() {
		return false
	}
	c.stack = c.stack[:len(c.stack)-1]
	return true
}

// step is what passing over one tag came to.
type step uint8

const (
	fault  step = iota // not a value, or beyond the end
	whole              // a value was passed over
	opened             // a structure was opened
	prefix             // what came belongs to the value that follows
)

// settle accounts for a step. It reports whether the value at which the skip
// began goes on.
func (c *cursor) settle(s step) (more bool) {
	if s == prefix || s == opened && !c.closes() {
		return true
	}
	for len(c.stack) > 0 {
		if !c.done() {
			return true
		}
	}
	return false
}
