package codectest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aeraki-mesh/aeraki/codec"
)

// checkMutation: an edited message decodes, has what the edits asked for, and
// is unchanged otherwise. An edit for which there is no place is refused with
// ErrNoCarrier.
func (s *suite) checkMutation() {
	mutator, ok := s.p.(codec.Mutator)
	if !ok || len(s.edits) == 0 {
		return
	}
	rare := s.rareEdits()
	carried := false
	for _, f := range s.frames {
		if !editable(f) {
			continue
		}
		x := s.original(f, s.all)
		for _, e := range s.edits {
			carried = x.mutate(mutator, e) || carried
		}
		if f.rank > 0 {
			continue
		}
		for _, e := range slices.Concat(rare, s.longEdits(x.present())) {
			x.mutate(mutator, e)
		}
		unread := s.original(f, nil) // Next need not have looked at what is edited
		for _, e := range s.edits {
			unread.mutate(mutator, e)
		}
	}
	if !carried {
		s.failf("no captured message has a place for any edit")
	}
}

func editable(f *frame) bool {
	return f.m.Kind == codec.Request || f.m.Kind == codec.Oneway || f.m.Kind == codec.Reply
}

// original is a captured message that edits are tried on.
type original struct {
	*suite
	f      *frame
	w      *codec.Want
	m      *codec.Message // decoded for w
	values []string       // of all properties
}

func (s *suite) original(f *frame, w *codec.Want) *original {
	d, m := s.described(f, s.all)
	o := &original{suite: s, f: f, w: w, m: m}
	for _, r := range s.refs {
		v, ok := d.Get(f.b, m, r)
		o.values = append(o.values, valueText(v, ok))
	}
	if w != s.all {
		_, o.m = s.described(f, w)
	}
	return o
}

// present returns a mutable property that the message has, or any.
func (o *original) present() (has codec.Ref) {
	for i, r := range o.refs {
		if o.properties[r.Property].Mutable {
			if has = r; o.values[i] != absent {
				break
			}
		}
	}
	return has
}

func (o *original) mutate(mutator codec.Mutator, edits []codec.Edit) (carried bool) {
	e := edits[0]
	o.at("%s: %d edits, the first of operation %d on %s with %d bytes %.20q, %d properties wanted",
		o.f.name, len(edits), e.Op, o.names[e.Ref], len(e.Value), e.Value, len(o.w.Refs()))
	b := append(o.scratch[:0], o.f.b...)
	o.scratch = b
	p := &o.patch
	p.Reset()
	m := *o.m
	err := mutator.Mutate(p, b, &m, edits)
	if err != nil {
		if err != codec.ErrNoCarrier {
			o.failf("%s: %v", o.where(), err)
		}
		return false
	}
	if !bytes.Equal(b, o.f.b) {
		o.failf("%s: it changed the message in place", o.where())
	}
	id := m.ID
	if n, ok := o.p.(codec.Renumberer); ok && n.CanPutID(&m) { // as the engine does, before it copies
		id ^= 1
		n.PutID(b[:m.Head:m.Head], &m, id)
	}
	o.buffer = p.AppendTo(o.buffer[:0], b)
	o.edited(edits, id, o.buffer)
	return true
}

// edited holds an edited message against the captured one.
func (o *original) edited(edits []codec.Edit, id uint64, b []byte) {
	if int64(len(b)) > o.kit.Limits.Message {
		return // as the user wanted it; whoever gets it refuses it
	}
	d := o.ready(o.f)
	var m codec.Message
	if err := d.Next(b, o.all, o.memo(o.f), &m); err != nil {
		o.failf("%s: the result is not decoded: %v\n%.400x", o.where(), err, b)
		return
	}
	if m.Size != int64(len(b)) {
		o.failf("%s: the result has %d bytes and a size of %d", o.where(), len(b), m.Size)
		return
	}
	for i, r := range o.refs {
		v, ok := d.Get(b[:m.Head], &m, r)
		o.value(edits, i, valueText(v, ok))
	}
	got, want := o.outcome(d, b, &m, nil), outcome{m: o.f.out.m, keep: o.f.out.keep}
	got.m.Head, got.m.Size, got.m.Keep, got.keep = want.m.Head, want.m.Size, want.m.Keep, want.keep
	if got.m.ID != id {
		o.failf("%s: it has id %#x, although %#x was put between Mutate and the copy", o.where(), got.m.ID, id)
	}
	got.m.ID, got.m.Memo = want.m.ID, want.m.Memo // a memo may hold the id
	if o.may(edits, Deadline) {
		got.m.Timeout = want.m.Timeout
	}
	if got != want {
		o.failf("%s: %s", o.where(), differs(got, want))
	}
}

// value holds a property against what the edits ask for.
func (o *original) value(edits []codec.Edit, i int, got string) {
	want, last, named := o.values[i], []byte(nil), false
	for _, e := range edits {
		if e.Ref == o.refs[i] {
			want, last, named = editedText(e, want), e.Value, true
		}
	}
	name := o.names[o.refs[i]]
	switch {
	case got == want:
	case !named && o.may(edits, name):
	case !named:
		o.failf("%s: it changed %s from %.60q to %.60q: is that one thing under two names? (Kit.Feeds)", o.where(), name, want, got)
	case !utf8.Valid(last) && strings.ToValidUTF8(got, "\ufffd") == got && squeezed(got) == squeezed(want):
	case (len(last) > maxRead || len(last) == 0) && got == absent:
	default:
		o.failf("%s: %s is %.60q instead of %.60q", o.where(), name, got, want)
	}
}

// maxRead is how long a value may be that a decoder must find; longer ones it
// may pass over. An empty one may be none.
const maxRead = 16 << 10

// squeezed has one U+FFFD for what is no UTF-8, in the way of any encoder.
func squeezed(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	for strings.Contains(text, "\ufffd\ufffd") {
		text = strings.ReplaceAll(text, "\ufffd\ufffd", "\ufffd")
	}
	return text
}

// may reports whether the kit allows that these edits change what has this
// name.
func (s *suite) may(edits []codec.Edit, name string) bool {
	for _, e := range edits {
		for _, fed := range s.kit.Feeds[s.names[e.Ref]] {
			if fed == name {
				return true
			}
		}
	}
	return false
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

// editedText is what an edit makes of a value.
func editedText(e codec.Edit, was string) string {
	switch {
	case e.Op == codec.Remove:
		return absent
	case e.Op == codec.Add && was != absent:
		return was
	}
	return "value " + string(e.Value)
}
