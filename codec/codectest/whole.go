package codectest

import (
	"bytes"
	"regexp"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

type span = wire.Span

// maxKeep is the most that Message.Keep may hold.
const maxKeep = 256

var protocolName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// checkDescription: traits and properties are as the contract says, and the
// parts that they need are implemented.
func (s *suite) checkDescription() {
	t := s.p.Traits()
	if !protocolName.MatchString(t.Name) {
		s.failf("name %q is not lower-case letters and digits", t.Name)
	}
	renumberer, numbers := s.p.(codec.Renumberer)
	if t.Parallel && !numbers {
		s.failf("Parallel needs a Renumberer")
	}
	if numbers && (renumberer.Bits() < 31 || renumberer.Bits() > 64) {
		s.failf("ids have %d bits", renumberer.Bits())
	}
	if _, ok := s.p.(codec.Heartbeater); t.HeartbeatInterval > 0 && !ok {
		s.failf("HeartbeatInterval needs a Heartbeater")
	}
	if _, ok := s.p.(codec.Responder); s.first(codec.Request) != nil && !ok {
		s.failf("a protocol with requests needs a Responder")
	}
	s.checkProperties()
}

func (s *suite) checkProperties() {
	properties := s.p.Properties()
	if len(properties) > 64 {
		s.failf("%d properties", len(properties))
	}
	fallbacks, mutable := 0, false
	names := map[string]bool{}
	for _, p := range properties {
		if p.Name == "" || names[p.Name] {
			s.failf("property %q is named twice or not at all", p.Name)
		}
		names[p.Name] = true
		if p.Doc == "" {
			s.failf("property %q has no Doc", p.Name)
		}
		if p.Fallback {
			fallbacks++
			if !p.Keyed {
				s.failf("property %q is a fallback without keys", p.Name)
			}
		}
		mutable = mutable || p.Mutable
	}
	if fallbacks > 1 {
		s.failf("%d fallback properties", fallbacks)
	}
	if _, ok := s.p.(codec.Mutator); mutable && !ok {
		s.failf("mutable properties need a Mutator")
	}
}

// first returns the first frame of a kind.
func (s *suite) first(k codec.Kind) *frame {
	for _, f := range s.frames {
		if f.m.Kind == k {
			return f
		}
	}
	return nil
}

// checkWhole: a message is as long as it is, whatever follows it, Head covers
// what Get and Keep need, and a second look comes to the same.
func (s *suite) checkWhole() {
	for _, f := range s.frames {
		s.at("%s: whole", f.name)
		if f.m.Size != int64(len(f.b)) {
			s.failf("%s: Size is %d of %d bytes", f.name, f.m.Size, len(f.b))
		}
		if f.m.Keep.End() > f.m.Head || f.m.Keep.Len > maxKeep {
			s.failf("%s: Keep %v is over Head %d or %d bytes", f.name, f.m.Keep, f.m.Head, maxKeep)
		}
		for _, tail := range [][]byte{nil, {0}, bytes.Repeat([]byte{0xff}, 64), f.b} {
			s.whole(f, append(bytes.Clone(f.b), tail...))
		}
	}
}

// whole decodes f, with bytes behind it, twice: as the engine does where the
// rules change while the message is arriving.
func (s *suite) whole(f *frame, b []byte) {
	d := s.ready(f)
	for _, time := range []string{"", "a second time, "} {
		var m codec.Message
		if err := d.Next(b, s.all, s.memo(f), &m); err != nil {
			s.failf("%s: %swith %d bytes behind it: %v", f.name, time, len(b)-len(f.b), err)
			return
		}
		if got := s.outcome(d, b[:m.Head:m.Head], &m, s.refs); got != f.out {
			s.failf("%s: %swith %d bytes behind it, read from its head: %s", f.name, time, len(b)-len(f.b), differs(got, f.out))
		}
	}
	if !bytes.Equal(b[:len(f.b)], f.b) {
		s.failf("%s: decoding changed the message", f.name)
	}
}

// checkWanted: what is wanted changes Head only, and what is wanted alone has
// the value that it has among all; also where the rules change between two
// pieces of a message.
func (s *suite) checkWanted() {
	for _, f := range s.frames {
		s.wanted(f, nil)
		s.wanted(f, codec.NewWant())
		for _, r := range s.refs {
			s.wanted(f, codec.NewWant(r))
		}
	}
	for _, f := range s.eachSort() {
		for _, k := range cuts(len(f.b), 256) {
			s.changed(f, k, nil, s.all)
			s.changed(f, k, s.all, nil)
		}
	}
}

func (s *suite) wanted(f *frame, w *codec.Want) {
	s.at("%s: wanting %v", f.name, w.Refs())
	d, m := s.described(f, w)
	got := s.outcome(d, f.b[:m.Head:m.Head], m, w.Refs())
	full, again := s.described(f, s.all)
	want := s.outcome(full, f.b, again, w.Refs())
	want.m.Head = got.m.Head
	if got != want {
		s.failf("%s: wanting %v: %s", f.name, w.Refs(), differs(got, want))
	}
}

// changed decodes f from k bytes wanting one thing, then whole wanting another.
func (s *suite) changed(f *frame, k int, before, after *codec.Want) {
	s.at("%s: %d bytes with %d properties wanted, then %d", f.name, k, len(before.Refs()), len(after.Refs()))
	x := s.feed(f)
	if x.want = before; !x.try(k) {
		return
	}
	if x.want = after; x.try(len(f.b)) {
		x.err = codec.ErrMore
	}
	if x.err != nil {
		s.failf("%s: %v", s.where(), x.err)
		return
	}
	got, want := s.outcome(x.d, f.b[:x.m.Head:x.m.Head], &x.m, after.Refs()), f.out
	want.m.Head = got.m.Head
	if after.Empty() {
		want.values = ""
	}
	if got != want {
		s.failf("%s: %s", s.where(), differs(got, want))
	}
}

// isMore reports whether err asks for more bytes, as the engine knows it.
func isMore(err error) bool { return err == codec.ErrMore }
