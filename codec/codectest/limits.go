package codectest

import "github.com/aeraki-mesh/aeraki/codec"

// checkLimits: a message may be as long as the limit, and one that is longer
// is refused as soon as its length is known, and never waited for.
func (s *suite) checkLimits() {
	for _, f := range s.frames {
		s.at("%s: limits", f.name)
		if f.before != nil {
			continue // its decoder has to read others under the same limit
		}
		limits := s.kit.Limits
		limits.Message = int64(len(f.b))
		x := s.feed(f)
		if x.d = s.p.Decoder(f.side, limits); x.try(len(f.b)) {
			x.err = codec.ErrMore
		}
		s.settled(f, x, "with a limit of its length")
		limits.Message--
		if limits.Message > 0 {
			s.overLimit(f, limits)
		}
	}
}

func (s *suite) overLimit(f *frame, limits codec.Limits) {
	if least := s.feed(f); least.try(1) && int64(least.m.Need) > limits.Message {
		return // shorter than any message: its length is not known at all
	}
	step := 1 + len(f.b)/1024
	known := s.feed(f) // when a decoder without such a limit asks for the last byte, or is done
	n := 1
	for known.try(n) && known.m.Need < len(f.b) && n < len(f.b) {
		n = min(max(n+step, known.m.Need), len(f.b))
	}
	x := s.feed(f)
	x.d = s.p.Decoder(f.side, limits)
	for k := 1; x.try(k); k = min(max(k+step, x.m.Need), len(f.b)) {
		switch {
		case int64(x.m.Need) > limits.Message:
			s.failf("%s: it asks for %d bytes with a limit of %d", f.name, x.m.Need, limits.Message)
			return
		case k >= n:
			s.failf("%s: %d bytes tell its length of %d, over the limit of %d, and it asks for more", f.name, k, len(f.b), limits.Message)
			return
		}
	}
	if x.err == nil {
		s.failf("%s: a message of %d bytes is accepted with a limit of %d", f.name, len(f.b), limits.Message)
	}
}
