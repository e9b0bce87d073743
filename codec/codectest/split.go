package codectest

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/aeraki-mesh/aeraki/codec"
)

// poison is what becomes of bytes that must not be looked at again.
const poison = 0xa5

// feeding is one message given to a decoder in growing pieces.
type feeding struct {
	*suite
	d    codec.Decoder
	b    []byte
	memo func(uint64) uint64
	want *codec.Want
	m    codec.Message
	cost int // bytes that the decoder may have looked at
	err  error
}

// try shows the decoder the first n bytes, in memory of their own, those
// before Scan destroyed; the memory is destroyed afterwards. It reports
// whether the decoder asks for more.
func (f *feeding) try(n int) bool {
	scan := f.m.Scan
	b := bytes.Clone(f.b[:n])
	for i := range scan {
		b[i] ^= poison
	}
	f.cost += n - scan
	f.err = f.d.Next(b, f.want, f.memo, &f.m)
	for i := range b {
		b[i] ^= poison
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

// checkSplit: the pieces in which a message arrives change nothing, and no
// byte before Scan is looked at again.
func (s *suite) checkSplit() {
	for _, f := range s.frames {
		s.at("%s: byte by byte", f.name)
		step := 1 + len(f.b)/4096
		x := s.feed(f)
		for n := 1; x.try(n) && n < len(f.b); {
			n = min(n+step, len(f.b))
		}
		s.settled(f, x, "byte by byte")

		x = s.feed(f)
		for n := 1; x.try(n) && n < len(f.b); {
			n = min(max(n+1, x.m.Need), len(f.b))
		}
		s.settled(f, x, "as it asks for them")
		if limit := 6*len(f.b) + 32; x.cost > limit { // a few stages, each asked for by length
			s.failf("%s: %d bytes are looked at %d times: more than %d", f.name, len(f.b), x.cost, limit)
		}

		for k := 1; k < len(f.b); k += step {
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

// event is what a stream of bytes came to: a message or its end.
type event struct {
	out outcome
	end string
}

// stream decodes messages one after the other from bytes of which step more
// arrive at a time, until an error or the end. memo answers for the message
// with this index.
func (s *suite) stream(d codec.Decoder, b []byte, memo func(index int) uint64, step func() int) []event {
	var events []event
	there := 0
	for len(b) > 0 {
		ask := func(uint64) uint64 { return memo(len(events)) }
		x := &feeding{suite: s, d: d, b: b, memo: ask, want: s.all}
		for there = max(there, min(step(), len(b))); x.try(there); there = min(there+step(), len(b)) {
			if there == len(b) {
				return append(events, event{end: "more"})
			}
		}
		if x.err != nil {
			return append(events, event{end: "error"})
		}
		events = append(events, event{out: s.outcome(d, b[:x.m.Head:x.m.Head], &x.m, s.refs)})
		if x.m.Size > int64(len(b)) {
			return append(events, event{end: "relaying"})
		}
		b = b[x.m.Size:]
		there = max(0, there-int(x.m.Size))
	}
	return append(events, event{end: "end"})
}

// checkStream: the messages of one direction, back to back, are found in
// pieces of any size.
func (s *suite) checkStream() {
	for _, c := range s.captures {
		for _, side := range []codec.Side{codec.FromClient, codec.FromServer} {
			s.streamCapture(c, side)
		}
	}
}

func (s *suite) streamCapture(c Capture, side codec.Side) {
	var all []byte
	var want []event
	memos := []uint64{}
	for _, f := range s.frames {
		if f.side == side && f.of(c) {
			all = append(all, f.b...)
			want = append(want, event{out: f.out})
			memos = append(memos, f.memo)
		}
	}
	want = append(want, event{end: "end"})
	memo := func(index int) uint64 { return memos[min(index, len(memos)-1)] }
	for seed := range uint64(12) {
		s.at("%s: side %d as a stream, seed %d", c.Name, side, seed)
		random := rand.New(rand.NewPCG(seed, 1))
		largest := []int{1, 3, 17, 100, 1400, len(all)}[seed%6]
		got := s.stream(s.p.Decoder(side, s.kit.Limits), all, memo, func() int { return 1 + random.IntN(largest) })
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				s.failf("%s: side %d as a stream in pieces of up to %d: message %d: %+v instead of %+v",
					c.Name, side, largest, i, got[min(i, len(got)-1)], want[i])
				break
			}
		}
	}
}

func (f *frame) of(c Capture) bool {
	return len(f.name) > len(c.Name) && f.name[:len(c.Name)+1] == c.Name+":"
}
