package codectest

import (
	"fmt"
	"strconv"

	"github.com/aeraki-mesh/aeraki/codec"
)

// frame is a captured message with what it was decoded to.
type frame struct {
	name    string // file:line
	capture string // file
	side    codec.Side
	b       []byte
	before  [][]byte // messages that its decoder must have seen
	first   bool     // of its conversation
	memo    uint64   // of the request that it answers
	m       codec.Message
	out     outcome // with every property wanted
	rank    int     // how many messages of the same sort come before it
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
	text := s.text[:0]
	for _, r := range refs {
		v, ok := d.Get(b, m, r)
		if !ok {
			continue
		}
		text = append(append(text, s.names[r]...), '=')
		if v.IsInt {
			text = strconv.AppendInt(text, v.Int, 10)
		} else { // its length tells two values from one that holds a line's end
			text = append(strconv.AppendInt(append(text, '('), int64(len(v.Bytes)), 10), ')')
			text = append(text, v.Bytes...)
		}
		text = append(text, '\n')
	}
	if s.text = text; string(text) != s.values {
		s.values = string(text)
	}
	o.values = s.values
	return o
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

// described decodes f as it was captured.
func (s *suite) described(f *frame, w *codec.Want) (codec.Decoder, *codec.Message) {
	d, m := s.ready(f), new(codec.Message)
	if err := d.Next(f.b, w, s.memo(f), m); err != nil {
		s.failf("%s: decoded before, then wanting %v: %v", f.name, w.Refs(), err)
	}
	return d, m
}

// eachSort returns the first message of each sort, for what takes long.
func (s *suite) eachSort() []*frame {
	var first []*frame
	for _, f := range s.frames {
		if f.rank == 0 {
			first = append(first, f)
		}
	}
	return first
}

// differs says where two outcomes differ.
func differs(got, want outcome) string {
	if got.m != want.m {
		return fmt.Sprintf("%+v instead of %+v", got.m, want.m)
	}
	return fmt.Sprintf("keep %q, values %q instead of keep %q, values %q", got.keep, got.values, want.keep, want.values)
}
