package codectest

import (
	"bytes"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// spoiled is what becomes of bytes that must not be looked at again.
var spoiled = bytes.Repeat([]byte{0xa5}, 4096)

func spoil(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, spoiled):]
	}
}

// feeding is one message given to a decoder in growing pieces.
type feeding struct {
	*suite
	d      codec.Decoder
	b      []byte
	memo   func(uint64) uint64
	want   *codec.Want
	m      codec.Message
	cost   int // bytes that the decoder may have looked at
	stage  int // calls since Scan was moved
	stages int // how many there were at most when it told what it needs
	err    error
}

// try shows the decoder the first n bytes, in memory of their own, those
// before Scan destroyed; the memory is destroyed afterwards. It reports
// whether the decoder asks for more.
func (f *feeding) try(n int) bool {
	scan := f.m.Scan
	b := bytes.Clone(f.b[:n])
	spoil(b[:scan])
	f.cost += n - scan
	f.err = f.d.Next(b, f.want, f.memo, &f.m)
	spoil(b)
	if f.stage++; f.m.Scan > scan {
		f.stage = 0
	}
	if f.m.Need > 0 {
		f.stages = max(f.stages, f.stage)
	}
	switch {
	case f.err == nil:
		f.err = found(&f.m, n)
		return false
	case !isMore(f.err):
		return false
	case f.m.Scan < scan || f.m.Scan > n:
		f.err = fmt.Errorf("scan is %d after %d, with %d bytes there", f.m.Scan, scan, n)
		return false
	case f.m.Need < 0 || f.m.Need > 0 && f.m.Need <= n:
		f.err = fmt.Errorf("it needs %d bytes and has %d", f.m.Need, n)
		return false
	}
	return true
}

// asAsked shows the decoder as many bytes as it asks for, at least step more
// each time. It ends with the message, an error, or all bytes.
func (f *feeding) asAsked(step int) {
	for n := min(step, len(f.b)); f.try(n); n = min(max(n+step, f.m.Need), len(f.b)) {
		if n == len(f.b) {
			f.err = codec.ErrMore
			return
		}
	}
}

// found holds a message, found in n bytes, to what the engine relies on.
func found(m *codec.Message, n int) error {
	switch {
	case m.Head <= 0 || m.Head > n:
		return fmt.Errorf("head is %d, with %d bytes there", m.Head, n)
	case m.Size < int64(m.Head):
		return fmt.Errorf("size %d is less than head %d", m.Size, m.Head)
	case m.Keep.Len > maxKeep || m.Keep.End() > m.Head:
		return fmt.Errorf("keep %v is over head %d or %d bytes", m.Keep, m.Head, maxKeep)
	}
	return nil
}

// feed starts feeding a captured message.
func (s *suite) feed(f *frame) *feeding {
	return &feeding{suite: s, d: s.ready(f), b: f.b, memo: s.memo(f), want: s.all}
}

// cuts returns at most about most places in n bytes, ascending: all of them,
// or the first and last ones and some between.
func cuts(n, most int) []int {
	step, edge := 1, most/4
	if n > most {
		step = 1 + n/(most/2)
	}
	var at []int
	for k := 1; k < n; k++ {
		if k <= edge || k >= n-edge || k%step == 0 {
			at = append(at, k)
		}
	}
	return at
}

// Places of one message that are tried: so many where it is the first of its
// sort and short, and so many otherwise.
const (
	manyCuts = 1024
	fewCuts  = 64
)

// checkSplit: the pieces in which a message arrives change nothing, and no
// byte before Scan is looked at again.
func (s *suite) checkSplit() {
	for _, f := range s.frames {
		s.at("%s: as it asks for bytes", f.name)
		x := s.feed(f)
		x.asAsked(1)
		s.settled(f, x, "as it asks for them")
		s.linear(x, f.name)

		most := fewCuts
		if f.rank == 0 && len(f.b) <= 16<<10 {
			most = manyCuts
		}
		at := cuts(len(f.b), most)
		s.at("%s: byte by byte", f.name)
		x = s.feed(f)
		for i := 0; i < len(at) && x.try(at[i]); i++ {
		}
		if isMore(x.err) {
			x.try(len(f.b))
		}
		s.settled(f, x, "byte by byte")
		for _, k := range at {
			s.at("%s: split at %d", f.name, k)
			x = s.feed(f)
			if x.try(k) {
				x.try(len(f.b))
			}
			s.settled(f, x, fmt.Sprintf("split at %d", k))
		}
	}
}

// settled holds what came of feeding against what came of the whole.
func (s *suite) settled(f *frame, x *feeding, how string) {
	if x.err != nil {
		s.failf("%s: %s: %v", f.name, how, x.err)
		return
	}
	if got := s.outcome(x.d, f.b[:x.m.Head:x.m.Head], &x.m, s.refs); got != f.out {
		s.failf("%s: %s: %s", f.name, how, differs(got, f.out))
	}
}
