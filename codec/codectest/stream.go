package codectest

import (
	"math/rand/v2"

	"github.com/aeraki-mesh/aeraki/codec"
)

// event is what a stream of bytes came to: a message or its end.
type event struct {
	out outcome
	end string
}

// stream decodes messages one after the other from bytes of which step more
// arrive at a time, until an error or the end. Like the engine it waits for
// what a decoder needs. memo answers for the message with this index.
func (s *suite) stream(d codec.Decoder, b []byte, memo func(index int) uint64, step func() int) []event {
	var events []event
	there := 0
	for len(b) > 0 {
		ask := func(uint64) uint64 { return memo(len(events)) }
		x := &feeding{suite: s, d: d, b: b, memo: ask, want: s.all}
		for there = max(there, min(step(), len(b))); x.try(there); {
			if there == len(b) {
				return append(events, event{end: "more"})
			}
			for wanted := min(max(there+1, x.m.Need), len(b)); there < wanted; {
				there = min(there+step(), len(b))
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
	memos, longest := []uint64{}, 0
	for _, f := range s.frames {
		if f.side == side && f.capture == c.Name {
			all = append(all, f.b...)
			want = append(want, event{out: f.out})
			memos = append(memos, f.memo)
			longest = max(longest, len(f.b))
		}
	}
	want = append(want, event{end: "end"})
	memo := func(index int) uint64 { return memos[min(index, len(memos)-1)] }
	for seed, largest := range []int{1, 3, 17, 100, 1400, len(all) + 1} {
		s.at("%s: side %d as a stream in pieces of up to %d", c.Name, side, largest)
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		largest = max(largest, longest/256) // a long message in bytes takes for ever
		got := s.stream(s.p.Decoder(side, s.kit.Limits), all, memo, func() int { return 1 + random.IntN(largest) })
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				s.failf("%s: message %d: %+v instead of %+v", s.where(), i, got[min(i, len(got)-1)], want[i])
				break
			}
		}
	}
}
