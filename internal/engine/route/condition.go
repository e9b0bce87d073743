package route

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

	"github.com/aeraki-mesh/aeraki/codec"
)

// alternative is one Match: all of its conditions must hold. What it asks of
// the source is decided when the table is compiled, because a proxy's own
// workload does not change.
type alternative struct {
	never      string // why it cannot hold here; "" if it can
	conditions []condition
}

func (a *alternative) holds(q *query) bool {
	if a.never != "" {
		return false
	}
	for i := range a.conditions {
		if !a.conditions[i].holds(q.value(a.conditions[i].ref)) {
			return false
		}
	}
	return true
}

type test uint8

const (
	exact test = iota
	prefix
	suffix
	regex
	present
	absent
	inRange
)

// condition is one PropertyMatch.
type condition struct {
	ref        int // index into Table.refs
	test       test
	invert     bool
	text       []byte
	re         *regexp.Regexp
	start, end int64 // [start, end)
}

func (c *condition) holds(v *value) bool { return c.fits(v) != c.invert }

func (c *condition) fits(v *value) bool {
	if c.test == absent {
		return !v.ok
	}
	if !v.ok {
		return false
	}
	switch c.test {
	case present:
		return true
	case exact:
		return bytes.Equal(v.v.Bytes, c.text)
	case prefix:
		return bytes.HasPrefix(v.v.Bytes, c.text)
	case suffix:
		return bytes.HasSuffix(v.v.Bytes, c.text)
	case regex:
		return c.re.Match(v.v.Bytes)
	case inRange:
		n, ok := number(v.v)
		return ok && n >= c.start && n < c.end
	}
	return false
}

// number returns a value as an integer; text counts as the decimal number
// that it is, at most 19 digits and a sign.
func number(v codec.Value) (int64, bool) {
	if v.IsInt {
		return v.Int, true
	}
	b, negative := v.Bytes, false
	if len(b) > 0 && b[0] == '-' {
		b, negative = b[1:], true
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// String says what the condition asks, for "aeraki explain".
func (c *condition) String() string {
	var s string
	switch c.test {
	case exact:
		s = "exact " + strconv.Quote(string(c.text))
	case prefix:
		s = "prefix " + strconv.Quote(string(c.text))
	case suffix:
		s = "suffix " + strconv.Quote(string(c.text))
	case regex:
		s = "regex " + strconv.Quote(string(c.text))
	case present:
		s = "present"
	case absent:
		s = "absent"
	case inRange:
		s = fmt.Sprintf("range [%d, %d)", c.start, c.end)
	}
	if c.invert {
		return "not " + s
	}
	return s
}
