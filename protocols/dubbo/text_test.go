package dubbo

import (
	"testing"

	"github.com/aeraki-mesh/aeraki/wire"
)

func TestTextsBecomeUTF8(t *testing.T) {
	for _, c := range []struct {
		enc       encoding
		raw, want string
	}{
		{utf8Text, "aé中", "aé中"},
		{cesu8Text, "a\xed\xa0\xbd\xed\xb8\x80b", "a😀b"},
		{cesu8Text, "a\xed\xa0\xbdb\xed\xb8\x80", "a\xed\xa0\xbdb\xed\xb8\x80"}, // halves of no pair
		{cesu8Text, "\xed\xa0", "\xed\xa0"},
		{latin1Text, "\xe9t\xe9", "été"},
		{utf16LEText, "a\x00-N\x3d\xd8\x00\xde", "a中😀"},
		{utf16BEText, "\x00aN-\xd8\x3d\xde\x00", "a中😀"},
		{utf16BEText, "\xd8\x3d\x00a", "\ufffda"},
		{utf16LEText, "a\x00b", "a"},
	} {
		b := append(make([]byte, headerLen), c.raw...)
		got, _ := utf8Of([]byte("kept"), b, wire.MakeSpan(headerLen, len(c.raw)), c.enc)
		if string(got) != c.want {
			t.Errorf("encoding %d, % x: %q, want %q", c.enc, c.raw, got, c.want)
		}
	}
}

// Every encoding of a JSONB string must come out as the same text.
func TestJSONBTextsOfEveryEncoding(t *testing.T) {
	for _, jsonb := range []string{"\x7a\x03中", "\x7b\x02N-", "\x7c\x02-N", "\x7d\x02N-"} {
		b := frame(twoWay|23, 0, 1, jcall("", nil, jstr("u"), jsonb))
		d := decoderOf(0)
		if got := get(t, d, b, decode(t, d, b), "u"); got != "中" {
			t.Errorf("% x: %q", jsonb, got)
		}
	}
	b := frame(twoWay|23, 0, 1, jcall("", nil, jstr("u"), "\x7e\x02\xd6\xd0", jstr("v"), jstr("x")))
	d := decoderOf(0)
	if got := get(t, d, b, decode(t, d, b), "u") + get(t, d, b, decode(t, d, b), "v"); got != "-x" {
		t.Errorf("GB18030: %q", got)
	}
}

func TestAttachmentsInTypedMaps(t *testing.T) {
	head := string(hessianBody(t, "2.0.2", "p", "1", "m", "Ljava/util/Map;"))
	jhead := string(jcall("", nil))
	jhead = jhead[:len(jhead)-6]
	for name, b := range map[string][]byte{
		"named":            frame(twoWay|2, 0, 1, []byte(head+"NM\x04Type\x01u\x01xZ")),
		"named before":     frame(twoWay|2, 0, 1, []byte(head+"M\x04Type\x01a\x01bZM\x90\x01u\x01xZ")),
		"fastjson2":        frame(twoWay|23, 0, 1, []byte(jhead+document("\x92"+jstr("Type")+"\x00\xa6"+jstr("u")+jstr("x")+"\xa5"))),
		"fastjson2 symbol": frame(twoWay|23, 0, 1, []byte(jhead+document("\xa6"+"\x7f"+jstr("s")+"\x00"+"\x7f\x00"+jstr("u")+jstr("x")+"\xa5"))),
	} {
		d, p := decoderOf(0), New()
		m := decode(t, d, b)
		if got := get(t, d, b, m, "u"); got != "x" || Malformed(m) {
			t.Errorf("%s: %q", name, got)
		}
		out, err := mutate(t, p, b, m, set(t, "v", "y"), set(t, "u", "z"))
		if err != nil {
			t.Fatal(name, err)
		}
		m = decode(t, d, out)
		if got := get(t, d, out, m, "u") + get(t, d, out, m, "v"); got != "zy" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
