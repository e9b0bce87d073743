package codectest

import (
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// prepare decodes every capture as the conversation that it is. It reports
// and returns false where that fails: no other check has a meaning then.
func (s *suite) prepare() bool {
	sorts := map[string]int{}
	for _, c := range s.captures {
		talk := conversation{suite: s, name: c.Name, sorts: sorts}
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
	sorts   map[string]int  // messages of each sort so far, in all captures
}

// add decodes a line of the capture: a message, or several that came at once.
func (c *conversation) add(line Frame) bool {
	for n := 1; len(line.Bytes) > 0; n++ {
		f := &frame{name: fmt.Sprintf("%s:%d", c.name, line.Line), capture: c.name, side: line.Side, b: line.Bytes}
		if n > 1 {
			f.name += fmt.Sprintf(", message %d", n)
		}
		if !c.decode(f) {
			return false
		}
		line.Bytes = line.Bytes[len(f.b):]
	}
	return true
}

// decode decodes the message at the start of f.b and cuts what follows it.
func (c *conversation) decode(f *frame) bool {
	f.before, f.first = c.seen[f.side], len(c.seen[f.side]) == 0
	c.at("%s: decoding", f.name)
	d, err := c.decoder(f, c.kit.Limits)
	if err == nil {
		err = d.Next(f.b, c.all, c.memoOf(f), &f.m)
	}
	switch {
	case isMore(err):
		c.report("%s: the line ends before its message: %d bytes are asked for, %d are there", f.name, f.m.Need, len(f.b))
		return false
	case err != nil:
		c.report("%s: the captured message is not decoded: %v", f.name, err)
		return false
	case f.m.Head > len(f.b) || f.m.Head <= 0:
		c.report("%s: Head is %d of %d bytes", f.name, f.m.Head, len(f.b))
		return false
	case f.m.Size > 0 && f.m.Size < int64(len(f.b)):
		f.b = f.b[:f.m.Size:f.m.Size]
	}
	c.seen[f.side] = append(c.seen[f.side], f.b)
	f.out = c.outcome(d, f.b, &f.m, c.refs)
	c.note(f)
	if c.independent(f) {
		f.before = nil
	}
	sort := c.sort(d, f)
	f.rank = c.sorts[sort]
	c.sorts[sort]++
	c.frames = append(c.frames, f)
	return true
}

// sort tells messages apart by what they are and which properties they have.
func (c *conversation) sort(d codec.Decoder, f *frame) string {
	has := make([]byte, len(c.refs))
	for i, r := range c.refs {
		if _, ok := d.Get(f.b, &f.m, r); ok {
			has[i] = 1
		}
	}
	m := &f.m
	return fmt.Sprint(f.side, m.Kind, m.Status, m.Variant, m.Pin, m.Unread, m.Timeout > 0, has)
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
