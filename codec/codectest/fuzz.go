package codectest

import (
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
)

// A fuzzer starts from so many captured messages of each sort, and from none
// that is so long that it would do little else.
const (
	seedsPerSort = 3
	maxSeed      = 8 << 10
)

// Fuzz is the body of a protocol's fuzz target. From the captured messages of
// both sides it goes on to others, and checks for each that decoding ends,
// does not panic or allocate by lengths from the wire, and comes to the same
// whether the bytes arrive at once or in pieces.
func Fuzz(f *testing.F, k Kit) {
	f.Helper()
	captures, err := LoadCaptures(k.Captures)
	if err != nil {
		f.Fatal(err)
	}
	s := newSuite(k, captures)
	s.report = f.Errorf
	if !s.prepare() {
		return
	}
	for i, x := range s.frames {
		if x.rank < seedsPerSort && len(x.b) <= maxSeed {
			f.Add(x.b, uint16(i), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, place uint16, piece uint8) {
		if len(b) == 0 {
			return
		}
		s.report, s.failures = t.Errorf, 0
		x := s.frames[int(place)%len(s.frames)] // the decoder's side and past
		s.at("in the place of %s", x.name)
		defer func() {
			if p := recover(); p != nil && p != any(enough{}) {
				panic(p)
			}
		}()
		before := allocated()
		s.probe(x, b)
		s.frugal(before, len(b))
		s.sameInPieces(x, b, 1+int(piece))
		if s.p.Sniff(b) > codec.Yes {
			t.Error("sniffing gives no verdict")
		}
	})
}
