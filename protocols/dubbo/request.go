package dubbo

import (
	"bytes"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// What Message.Notes hold. A span with offset 0 is absent.
const (
	noteInterface = iota
	noteVersion
	noteMethod
	noteTypes
	noteArguments // all of them
	noteMap       // the attachments, with what frames them
	noteGroup
	noteFlags // no span: Off has the flags below and the encodings of the texts
)

const (
	flagMalformed = 1 << iota
	flagGeneric   // a call of $invoke or $invokeAsync
	flagTelling   // an event that is no answer to one
	flagObjects   // attachments have Hessian objects: class definitions before them matter
	encodingShift = 8
	encodingBits  = 3
)

// memoAttachments in Message.Memo: the client understands replies with
// attachments.
const memoAttachments = 1

// genericTypes are the parameter types of generic calls: the method's name,
// its parameter types, its arguments (Dubbo's GENERIC_PARAMETER_DESC).
const genericTypes = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;"

// request reads the invocation in the body of a request.
func (d *decoder) request(b []byte, m *codec.Message) {
	if !Readable(m.Variant) {
		m.Unread = true
		return
	}
	d.cur.start(b, headerLen, m.Variant, d.limits.Depth)
	if !d.invocation(&d.cur, m) {
		m.Notes[noteFlags].Off |= flagMalformed
		m.Unread = true
	}
}

// invocation reads a body as DubboCodec.encodeRequestData writes it: Dubbo's
// version, path, service version, method, parameter types, arguments,
// attachments. It reports whether it came to the end of the attachments.
func (d *decoder) invocation(c *cursor, m *codec.Message) bool {
	v, ok := c.value()
	if !ok {
		return false
	}
	if v.kind == textValue && takesAttachments(v.span.Of(c.b)) {
		m.Memo = memoAttachments
	}
	for n := noteInterface; n <= noteTypes; n++ {
		if v, ok = c.value(); !ok {
			return false
		}
		note(m, n, v)
	}
	return d.arguments(c, m) && d.attachments(c, m)
}

// arguments passes over the arguments, of which the parameter types say how
// many there are.
func (d *decoder) arguments(c *cursor, m *codec.Message) bool {
	left, ok := parameterCount(m.Notes[noteTypes].Of(c.b))
	if !ok {
		return false
	}
	from := c.off
	if left > 0 && isGeneric(c.b, m) {
		v, ok := c.value()
		if !ok {
			return false
		}
		left--
		if v.kind == textValue {
			note(m, noteMethod, v)
			m.Notes[noteFlags].Off |= flagGeneric
		}
	}
	for ; left > 0; left-- {
		if !c.skip() {
			return false
		}
	}
	m.Notes[noteArguments] = wire.MakeSpan(from, c.off-from)
	return true
}

func isGeneric(b []byte, m *codec.Message) bool {
	method := m.Notes[noteMethod].Of(b)
	return len(method) > 0 && method[0] == '$' &&
		(string(method) == "$invoke" || string(method) == "$invokeAsync") &&
		string(m.Notes[noteTypes].Of(b)) == genericTypes
}

// note keeps where a text stands and how it is encoded.
func note(m *codec.Message, n int, v scalar) {
	if v.kind != textValue {
		return
	}
	m.Notes[n] = v.span
	shift := encodingShift + n*encodingBits
	m.Notes[noteFlags].Off = m.Notes[noteFlags].Off&^(1<<encodingBits-1<<shift) | uint32(v.enc)<<shift
}

// noted is the text that note kept.
func noted(m *codec.Message, n int) scalar {
	v := scalar{kind: textValue, span: m.Notes[n]}
	if v.span.Off == 0 {
		return scalar{}
	}
	v.enc = encoding(m.Notes[noteFlags].Off >> (encodingShift + n*encodingBits) & (1<<encodingBits - 1))
	return v
}

// parameterCount counts the types of a JVM method descriptor without its
// parentheses.
func parameterCount(types []byte) (n int, ok bool) {
	for i := 0; i < len(types); i++ {
		switch types[i] {
		case '[':
			continue
		case 'L':
			name := bytes.IndexByte(types[i:], ';')
			if name < 0 {
				return 0, false
			}
			i += name
		case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z', 'V':
		default:
			return 0, false
		}
		n++
	}
	return n, len(types) == 0 || types[len(types)-1] != '['
}

// takesAttachments reports whether a client with this version of the protocol
// reads replies with attachments: those from 2.0.2 to 2.0.99, as Dubbo's
// Version.isSupportResponseAttachment has it. Clients from before the protocol
// had a version of its own sent that of their release, 2.5.3.
func takesAttachments(version []byte) bool {
	var part [4]int
	n := 0
	for _, c := range version {
		switch {
		case c == '.' && n < len(part)-1:
			n++
		case c >= '0' && c <= '9' && part[n] < 1000:
			part[n] = part[n]*10 + int(c-'0')
		default:
			return false
		}
	}
	v := ((part[0]*100+part[1])*100+part[2])*100 + part[3]
	return v >= 2000200 && v <= 2009900
}

// event tells READONLY from a heartbeat.
func (d *decoder) event(b []byte, m *codec.Message) {
	if m.Notes[noteFlags].Off&flagTelling == 0 {
		return
	}
	body := b[headerLen:]
	if m.Variant == hessian2 && string(body) == "\x01R" ||
		m.Variant == fastjson2 && string(body) == "\x00\x00\x00\x02\x4aR" {
		m.Kind = codec.GoAway
	}
}

// callbackPrefix begins the names of the attachments that tell the server
// which arguments are callbacks (CallbackServiceCodec).
const callbackPrefix = "sys_callback_arg-"

// attachments reads the map that ends a body, for what the engine needs of it.
func (d *decoder) attachments(c *cursor, m *codec.Message) bool {
	at := c.off
	c.objects = false
	end, there, ok := c.openMap()
	if !ok {
		return false
	}
	for n := 0; there && !c.atEnd(); n++ {
		key, keyOK := c.element()
		v, ok := c.element()
		if !keyOK || !ok || n == d.limits.Properties {
			return false
		}
		if key.kind == textValue && m.Kind != codec.Reply {
			d.attachment(c.b, m, key.span.Of(c.b), v)
		}
	}
	if c.json && !c.closeDoc(end) {
		return false
	}
	m.Notes[noteMap] = wire.MakeSpan(at, c.off-at)
	if c.objects {
		m.Notes[noteFlags].Off |= flagObjects
	}
	return true
}

// attachment takes what the engine needs of one attachment of a request. As
// in a Java map, the last of several with one name counts.
func (d *decoder) attachment(b []byte, m *codec.Message, key []byte, v scalar) {
	switch len(key) {
	case len("_TO"):
		if string(key) == "_TO" || string(key) == "_to" {
			shorten(b, m, v)
		}
	case len("group"):
		if string(key) == "group" {
			note(m, noteGroup, v)
		}
	case len("timeout"):
		if string(key) == "timeout" {
			shorten(b, m, v)
		}
	case len("interface"):
		if string(key) == "interface" {
			note(m, noteInterface, v)
		}
	default:
		if len(key) > len(callbackPrefix) && string(key[:len(callbackPrefix)]) == callbackPrefix {
			m.Pin = codec.Begin
		}
	}
}
