package dubbo

import "testing"

func TestJSONBAsFastjson2WritesIt(t *testing.T) {
	testWritten(t, "testdata/jsonb/fastjson2-2.0.52.txt", fastjson2)
	testWritten(t, "testdata/jsonb/fastjson2-2.0.56.txt", fastjson2)
}

func TestJSONBIntegers(t *testing.T) {
	for n := -300000; n < 300000; n += 7 {
		if n < 0 {
			continue
		}
		b := appendJSONBLength(make([]byte, headerLen), n)
		c := new(cursor)
		c.start(b, headerLen, fastjson2, 1)
		if got, ok := c.jsonbLength(); !ok || got != int64(n) || c.off != len(b) {
			t.Fatalf("%d became %d", n, got)
		}
	}
}
