package codectest

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// makeEdits returns what is tried on every message: each mutable property set,
// added and removed alone, then all of them together.
func (s *suite) makeEdits() [][]codec.Edit {
	var all [][]codec.Edit
	var together []codec.Edit
	for _, r := range s.refs {
		p := s.p.Properties()[r.Property]
		if !p.Mutable {
			continue
		}
		values := []string{"codectest", strings.Repeat("long", 75)}
		if p.Type == codec.Int {
			values = []string{"7"}
		}
		for _, v := range values {
			all = append(all, []codec.Edit{{Op: codec.Set, Ref: r, Value: []byte(v)}})
		}
		all = append(all,
			[]codec.Edit{{Op: codec.Add, Ref: r, Value: []byte(values[0])}},
			[]codec.Edit{{Op: codec.Remove, Ref: r}})
		together = append(together, codec.Edit{Op: codec.Set, Ref: r, Value: []byte(values[0])})
	}
	if len(together) > 1 {
		all = append(all, together)
	}
	return all
}

// checkMutation: an edited message decodes, has what the edit asked for, and
// is unchanged otherwise. An edit for which there is no place is refused with
// ErrNoCarrier.
func (s *suite) checkMutation() {
	mutator, ok := s.p.(codec.Mutator)
	if !ok {
		return
	}
	carried := false
	for _, f := range s.frames {
		if f.m.Kind != codec.Request && f.m.Kind != codec.Oneway && f.m.Kind != codec.Reply {
			continue
		}
		for _, e := range s.edits {
			for _, w := range []*codec.Want{s.all, nil} {
				carried = s.mutate(mutator, f, e, w) || carried
			}
		}
	}
	if len(s.edits) > 0 && !carried {
		s.failf("no captured message has a place for any edit")
	}
}

func (s *suite) mutate(mutator codec.Mutator, f *frame, edits []codec.Edit, w *codec.Want) (carried bool) {
	s.at("%s: edit %d of %s, %d edits, %d properties wanted", f.name, edits[0].Op, s.refName(edits[0].Ref), len(edits), len(w.Refs()))
	d := s.ready(f)
	var m codec.Message
	if err := d.Next(f.b, w, s.memo(f), &m); err != nil {
		s.failf("%s: %v", f.name, err)
		return false
	}
	original := bytes.Clone(f.b)
	var p wire.Patch
	err := mutator.Mutate(&p, original, &m, edits)
	if errors.Is(err, codec.ErrNoCarrier) {
		return false
	}
	if err != nil {
		s.failf("%s: %v", s.where(), err)
		return false
	}
	b := p.AppendTo(nil, original)
	if !bytes.Equal(original, f.b) {
		s.failf("%s: it changed the message in place", s.where())
	}
	s.edited(f, edits, b)
	return true
}

// edited holds an edited message against the captured one.
func (s *suite) edited(f *frame, edits []codec.Edit, b []byte) {
	d := s.ready(f)
	var m codec.Message
	if err := d.Next(b, s.all, s.memo(f), &m); err != nil {
		s.failf("%s: the result is not decoded: %v\n%x", s.where(), err, b)
		return
	}
	if m.Size != int64(len(b)) {
		s.failf("%s: the result has %d bytes and a size of %d", s.where(), len(b), m.Size)
	}
	was := s.ready(f)
	var old codec.Message
	if err := was.Next(f.b, s.all, s.memo(f), &old); err != nil {
		s.failf("%s: %v", f.name, err)
		return
	}
	for _, r := range s.refs {
		want, there := was.Get(f.b, &old, r)
		wantText := valueText(want, there)
		for _, e := range edits {
			if e.Ref == r {
				wantText = editedText(e, wantText, there)
			}
		}
		if got, ok := d.Get(b[:m.Head], &m, r); valueText(got, ok) != wantText {
			s.failf("%s: %s is %s instead of %s", s.where(), s.refName(r), valueText(got, ok), wantText)
		}
	}
	got, want := s.outcome(d, b, &m, nil), s.outcome(was, f.b, &old, nil)
	got.m.Head, got.m.Size, got.m.Keep, got.keep = want.m.Head, want.m.Size, want.m.Keep, want.keep
	if got != want {
		s.failf("%s: %s", s.where(), differs(got, want))
	}
}

// absent is the text of a property that is not there.
const absent = "absent"

func valueText(v codec.Value, ok bool) string {
	switch {
	case !ok:
		return absent
	case v.IsInt:
		return "value " + strconv.FormatInt(v.Int, 10)
	}
	return "value " + string(v.Bytes)
}

func editedText(e codec.Edit, was string, there bool) string {
	switch {
	case e.Op == codec.Remove:
		return absent
	case e.Op == codec.Add && there:
		return was
	}
	return "value " + string(e.Value)
}
