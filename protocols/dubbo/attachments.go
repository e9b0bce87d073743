package dubbo

import (
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// shorten takes a number of milliseconds as the deadline of the request,
// unless it has a shorter one: "timeout" is what the client waits, "_TO" what
// is left of the deadline of the call that the client itself serves.
func shorten(b []byte, m *codec.Message, v scalar) {
	ms := v.num
	if v.kind == textValue {
		var ok bool
		if ms, ok = decimal(v.span.Of(b)); !ok {
			return
		}
	} else if v.kind != intValue {
		return
	}
	const most = int64(24 * time.Hour / time.Millisecond * 365)
	t := time.Duration(min(ms, most)) * time.Millisecond
	if t > 0 && (m.Timeout == 0 || t < m.Timeout) {
		m.Timeout = t
	}
}

// decimal parses digits: a positive number of at most 18 of them.
func decimal[T string | []byte](text T) (int64, bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	n := int64(0)
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// rewind points the cursor at the attachments of m, past everything before
// them where their objects need its class definitions.
func (c *cursor) rewind(b []byte, m *codec.Message, depth int) bool {
	at := int(m.Notes[noteMap].Off)
	c.start(b, at, m.Variant, depth)
	if m.Notes[noteFlags].Off&flagObjects == 0 {
		return true
	}
	for c.off = headerLen; c.off < at; {
		if !c.skip() {
			return false
		}
	}
	return c.off == at
}

// findAttachment returns the value of the attachment with this key: one with
// the very key, else one that differs in the case of ASCII letters, as rules
// written for upstream Aeraki (which sees keys in lower case) need it. The
// last of several counts, as it does for a server that reads a Java map.
func (d *decoder) findAttachment(b []byte, m *codec.Message, key string) (scalar, bool) {
	c := &d.cur
	if m.Notes[noteMap].Len == 0 || !c.rewind(b, m, d.limits.Depth) {
		return scalar{}, false
	}
	var best scalar
	found, exact := false, false
	_, there, ok := c.openMap()
	for there && ok && !c.atEnd() {
		k, keyOK := c.element()
		v, valueOK := c.element()
		if !keyOK || !valueOK {
			return scalar{}, false
		}
		if k.kind != textValue {
			continue
		}
		text := d.utf8(b, k)
		switch same := string(text) == key; {
		case same:
			best, found, exact = v, true, true
		case !exact && equalFold(text, key):
			best, found = v, true
		}
	}
	return best, found
}

// equalFold compares without regard to the case of ASCII letters.
func equalFold(text []byte, key string) bool {
	if len(text) != len(key) {
		return false
	}
	for i, c := range text {
		if lower(c) != lower(key[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// utf8 returns a text as UTF-8. What has to be converted lives in the decoder
// until its next Next.
func (d *decoder) utf8(b []byte, v scalar) (text []byte) {
	text, d.text = utf8Of(d.text, b, v.span, v.enc)
	return text
}
