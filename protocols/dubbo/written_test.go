package dubbo

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// testWritten checks that values which Java wrote (Values.java beside the file
// prints them, a name and hex on each line) are read as what they are and to
// their last byte, and that no part of one is taken for a whole.
func testWritten(t *testing.T, file string, variant uint8) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 90 {
		t.Fatalf("%d values", len(lines))
	}
	for _, line := range lines {
		name, digits, _ := strings.Cut(line, " ")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		testValue(t, file+" "+name, variant, name, raw)
	}
}

// testValue checks one value. Its name is what it must be read as; "other:…"
// is passed over.
func testValue(t *testing.T, label string, variant uint8, name string, raw []byte) {
	t.Helper()
	at := func(n int) *cursor {
		c := new(cursor)
		c.start(append(make([]byte, headerLen), raw[:n]...), headerLen, variant, 64)
		return c
	}
	skip := (*cursor).hessianSkip
	if variant == fastjson2 {
		skip = (*cursor).jsonbSkip
	}
	c := at(len(raw))
	if !skip(c) || c.off != c.end {
		t.Errorf("%s: passed over %d bytes of %d, % x", label, c.off-headerLen, len(raw), raw)
	}
	for n := range raw {
		if skip(at(n)) {
			t.Errorf("%s: %d bytes of %d are taken for all", label, n, len(raw))
			break
		}
	}
	c = at(len(raw))
	v, ok := c.element()
	if !ok || c.off != c.end {
		t.Fatalf("%s: not read, % x", label, raw)
	}
	if got := nameOf(c, v); got != name && !strings.HasPrefix(name, "other:") {
		t.Errorf("%s: read as %s", label, got)
	}
}

// nameOf names a value as the files do.
func nameOf(c *cursor, v scalar) string {
	switch v.kind {
	case textValue:
		text, _ := utf8Of(nil, c.b, v.span, v.enc)
		return "text:" + string(text)
	case intValue:
		return "int:" + strconv.FormatInt(v.num, 10)
	case boolValue:
		return strconv.FormatBool(v.num == 1)
	case nullValue:
		return "null"
	}
	return "other"
}
