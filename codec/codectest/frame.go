package codectest

import (
	"fmt"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// frame is a captured message with what it was decoded to.
type frame struct {
	name   string // file:line
	side   codec.Side
	b      []byte
	before [][]byte // messages that its decoder must have seen
	first  bool     // of its conversation
	memo   uint64   // of the request that it answers
	m      codec.Message
	out    outcome // with every property wanted
}

// outcome is all that the engine sees of a message, comparable.
type outcome struct {
	m      codec.Message // without what only the codec and its caller need
	keep   string
	values string
}

// outcome reads the properties of the message that was decoded from b.
func (s *suite) outcome(d codec.Decoder, b []byte, m *codec.Message, refs []codec.Ref) outcome {
	o := outcome{m: *m, keep: string(m.Keep.Of(b))}
	o.m.Scan, o.m.Need = 0, 0
	o.m.Notes = [8]span{}
	var text strings.Builder
	for _, r := range refs {
		v, ok := d.Get(b, m, r)
		if !ok {
			continue
		}
		if v.IsInt {
			fmt.Fprintf(&text, "%s=%d\n", s.refName(r), v.Int)
		} else {
			fmt.Fprintf(&text, "%s=%q\n", s.refName(r), v.Bytes)
		}
	}
	o.values = text.String()
	return o
}

// prepare decodes every capture as the conversation that it is. It reports
// and returns false where that fails: no other check has a meaning then.
func (s *suite) prepare() bool {
	for _, c := range s.captures {
		talk := conversation{suite: s, name: c.Name}
		for _, f := range c.Frames {
			if !talk.add(f) {
				return false
			}
		}
	}
	return true
}

// conversation is the state of a capture that is being decoded.
type conversation struct {
	*suite
	name    string
	seen    [2][][]byte
	waiting []codec.Message // requests without a reply yet
}

func (c *conversation) add(captured Frame) bool {
	f := &frame{name: fmt.Sprintf("%s:%d", c.name, captured.Line), side: captured.Side, b: captured.Bytes}
	f.before, f.first = c.seen[f.side], len(c.seen[f.side]) == 0
	c.seen[f.side] = append(c.seen[f.side], f.b)
	c.at("%s: decoding", f.name)
	d, err := c.decoder(f, c.kit.Limits)
	if err == nil {
		err = d.Next(f.b, c.all, c.memoOf(f), &f.m)
	}
	if err != nil {
		c.report("%s: the captured message is not decoded: %v", f.name, err)
		return false
	}
	if f.m.Head > len(f.b) || f.m.Head <= 0 {
		c.report("%s: Head is %d of %d bytes", f.name, f.m.Head, len(f.b))
		return false
	}
	f.out = c.outcome(d, f.b, &f.m, c.refs)
	c.note(f)
	if c.independent(f) {
		f.before = nil
	}
	c.frames = append(c.frames, f)
	return true
}

// memoOf answers the decoder of f from the requests that wait, and notes the
// answer in f.
func (c *conversation) memoOf(f *frame) func(uint64) uint64 {
	if f.side == codec.FromClient {
		return c.memo(f)
	}
	return func(id uint64) uint64 {
		for _, m := range c.waiting {
			if id == 0 || m.ID == id {
				f.memo = m.Memo
				return m.Memo
			}
		}
		return 0
	}
}

// note keeps requests until they are answered.
func (c *conversation) note(f *frame) {
	switch {
	case f.m.Kind == codec.Request:
		c.waiting = append(c.waiting, f.m)
	case f.m.Kind == codec.Reply && len(c.waiting) > 0:
		answered := 0
		for i, m := range c.waiting {
			if m.ID == f.m.ID {
				answered = i
				break
			}
		}
		c.waiting = append(c.waiting[:answered:answered], c.waiting[answered+1:]...)
	}
}

// independent reports whether a new decoder decodes f as well: most do, and
// most tests are cheaper then.
func (c *conversation) independent(f *frame) bool {
	d := c.p.Decoder(f.side, c.kit.Limits)
	var m codec.Message
	return d.Next(f.b, c.all, c.memo(f), &m) == nil && c.outcome(d, f.b, &m, c.refs) == f.out
}

// memo is what a decoder of f may ask.
func (s *suite) memo(f *frame) func(uint64) uint64 {
	return func(uint64) uint64 {
		if f.side == codec.FromClient {
			s.failf("%s: a decoder of clients' bytes asked for a memo", f.name)
		}
		return f.memo
	}
}

// decoder returns a decoder that has seen what came before f.
func (s *suite) decoder(f *frame, l codec.Limits) (codec.Decoder, error) {
	d := s.p.Decoder(f.side, l)
	for _, b := range f.before {
		var m codec.Message
		if err := d.Next(b, s.all, s.memo(f), &m); err != nil {
			return d, fmt.Errorf("a message before it: %w", err)
		}
	}
	return d, nil
}

// ready is decoder for frames and limits that are known to do.
func (s *suite) ready(f *frame) codec.Decoder {
	d, err := s.decoder(f, s.kit.Limits)
	if err != nil {
		s.failf("%s: %v", f.name, err)
	}
	return d
}

// differs says where two outcomes differ.
func differs(got, want outcome) string {
	if got.m != want.m {
		return fmt.Sprintf("%+v instead of %+v", got.m, want.m)
	}
	return fmt.Sprintf("keep %q, values %q instead of keep %q, values %q", got.keep, got.values, want.keep, want.values)
}
