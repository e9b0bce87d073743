package dubbo

import (
	"bytes"

	"github.com/aeraki-mesh/aeraki/codec"
)

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

// Get implements codec.Decoder. A text that is not UTF-8 on the wire (UTF-16
// and Latin-1 of fastjson2, characters over U+FFFF of Hessian2) is converted;
// it is valid until this decoder's next Next.
func (d *decoder) Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool) {
	switch r.Property {
	case propInterface:
		return d.result(b, noted(m, noteInterface))
	case propVersion:
		return d.result(b, noted(m, noteVersion))
	case propGroup:
		return d.result(b, noted(m, noteGroup))
	case propMethod:
		return d.result(b, noted(m, noteMethod))
	case propParameterTypes:
		if types := d.genericTypes(b, m); types != nil {
			return codec.Value{Bytes: types}, true
		}
		return d.result(b, noted(m, noteTypes))
	case propArgument:
		v, ok := d.argument(b, m, r.Key)
		d.cur.b = nil
		if !ok {
			return codec.Value{}, false
		}
		return d.result(b, v)
	case propAttachment:
		v, ok := d.findAttachment(b, m, r.Key)
		d.cur.b = nil
		if !ok {
			return codec.Value{}, false
		}
		return d.result(b, v)
	}
	return codec.Value{}, false
}

func (d *decoder) result(b []byte, v scalar) (codec.Value, bool) {
	switch v.kind {
	case textValue:
		return codec.Value{Bytes: d.utf8(b, v)}, true
	case intValue:
		return codec.Value{Int: v.num, IsInt: true}, true
	case boolValue:
		if v.num != 0 {
			return codec.Value{Bytes: textTrue}, true
		}
		return codec.Value{Bytes: textFalse}, true
	}
	return codec.Value{}, false
}

// argument returns the argument at an index; of a generic call, which has the
// method's own arguments in its third one, the element of that.
func (d *decoder) argument(b []byte, m *codec.Message, key string) (scalar, bool) {
	index, ok := decimal(key)
	args := m.Notes[noteArguments]
	if !ok || args.Len == 0 {
		return scalar{}, false
	}
	c := &d.cur
	c.start(b[:args.End()], int(args.Off), m.Variant, d.limits.Depth)
	if m.Notes[noteFlags].Off&flagGeneric == 0 {
		for ; index > 0 && c.off < c.end; index-- {
			if !c.skip() {
				return scalar{}, false
			}
		}
		return c.value()
	}
	if !c.skip() || !c.skip() {
		return scalar{}, false
	}
	n, ok := c.openList()
	if !ok || index >= n && n >= 0 {
		return scalar{}, false
	}
	for ; index > 0; index-- {
		if _, ok := c.listElement(n); !ok {
			return scalar{}, false
		}
	}
	return c.listElement(n)
}

// openList enters a list that is the next value of the body; n is the number
// of its values, -1 where an end follows the last.
func (c *cursor) openList() (n int64, ok bool) {
	if !c.json {
		return c.hessianOpenList()
	}
	if _, ok := c.openDoc(); !ok {
		return 0, false
	}
	return c.jsonbOpenList()
}

// listElement reads a value of the list that openList entered.
func (c *cursor) listElement(n int64) (scalar, bool) {
	if n < 0 && c.atEnd() {
		return scalar{}, false
	}
	return c.element()
}

// maxGenericTypes bounds how many parameter types of a generic call are put
// together.
const maxGenericTypes = 64

// genericTypes returns the parameter types that the second argument of a
// generic call names, as the descriptor that a plain call has; nil where this
// is none, or they are not a short list of names.
func (d *decoder) genericTypes(b []byte, m *codec.Message) []byte {
	if m.Notes[noteFlags].Off&flagGeneric == 0 {
		return nil
	}
	args := m.Notes[noteArguments]
	c := &d.cur
	c.start(b[:args.End()], int(args.Off), m.Variant, d.limits.Depth)
	defer func() { c.b = nil }()
	if !c.skip() {
		return nil
	}
	n, ok := c.openList()
	if !ok || n > maxGenericTypes {
		return nil
	}
	from := len(d.text)
	for i := int64(0); i != n; i++ {
		if n < 0 && c.atEnd() {
			break
		}
		v, ok := c.element()
		if !ok || v.kind != textValue || i == maxGenericTypes {
			return nil
		}
		d.text = appendDescriptor(d.text, v.span.Of(b))
	}
	return d.text[from:len(d.text):len(d.text)]
}

// appendDescriptor appends the JVM descriptor of a type's name: "int" is I,
// "java.lang.String[]" and "[Ljava.lang.String;" are [Ljava/lang/String;.
func appendDescriptor(dst, name []byte) []byte {
	for bytes.HasSuffix(name, []byte("[]")) {
		dst, name = append(dst, '['), name[:len(name)-2]
	}
	if len(name) > 0 && name[0] == '[' {
		return appendSlashed(dst, name)
	}
	if c := primitive(string(name)); c != 0 {
		return append(dst, c)
	}
	dst = appendSlashed(append(dst, 'L'), name)
	return append(dst, ';')
}

func appendSlashed(dst, name []byte) []byte {
	for _, c := range name {
		if c == '.' {
			c = '/'
		}
		dst = append(dst, c)
	}
	return dst
}

func primitive(name string) byte {
	switch name {
	case "boolean":
		return 'Z'
	case "byte":
		return 'B'
	case "char":
		return 'C'
	case "double":
		return 'D'
	case "float":
		return 'F'
	case "int":
		return 'I'
	case "long":
		return 'J'
	case "short":
		return 'S'
	case "void":
		return 'V'
	}
	return 0
}
