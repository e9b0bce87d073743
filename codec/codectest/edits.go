package codectest

import (
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// commonEdits are tried on every message: each mutable property set, added and
// removed alone, then all of them together.
func (s *suite) commonEdits() [][]codec.Edit {
	var all [][]codec.Edit
	var together []codec.Edit
	for _, r := range s.mutable() {
		v := s.sample(r)
		all = append(all,
			[]codec.Edit{{Op: codec.Set, Ref: r, Value: v}},
			[]codec.Edit{{Op: codec.Add, Ref: r, Value: v}},
			[]codec.Edit{{Op: codec.Remove, Ref: r}})
		together = append(together, codec.Edit{Op: codec.Set, Ref: r, Value: v})
	}
	if len(together) > 1 {
		all = append(all, together)
	}
	return all
}

func (s *suite) mutable() []codec.Ref {
	var refs []codec.Ref
	for _, r := range s.refs {
		if s.properties[r.Property].Mutable {
			refs = append(refs, r)
		}
	}
	return refs
}

func (s *suite) sample(r codec.Ref) []byte {
	if s.properties[r.Property].Type == codec.Int {
		return []byte("7")
	}
	return []byte("codectest")
}

// hostileValues are what users' YAML may hold, or what a template makes of a
// hostile request: quotes, separators, controls, no UTF-8, nothing.
var hostileValues = []string{"", `"`, `'`, `\`, `a"b'c\d`, `","x":"y`, "{[()]}", "a=b;c:d,e&f", " lead and trail ",
	"\x00", "a\x00b", "line\r\nline: two", "\t\x01\x1f\x7f", "é 中 😀", "\u2028\ufeff", "\xff", "cut \xc3", "\xed\xa0\x80", "\xf0\x9f"}

// longValues overflow length fields of one and two bytes that count bytes or
// words, also where what is left of the length would be a small one.
var longValues = func() []string {
	var values []string
	for _, n := range []int{127, 128, 255, 256, 300, 32768, 65535, 65536, 65541, 131077, 262157} {
		values = append(values, strings.Repeat("0123456789", n/10+1)[:n])
	}
	return values
}()

// rareEdits are tried on one message of each sort.
func (s *suite) rareEdits() [][]codec.Edit {
	var all [][]codec.Edit
	for _, r := range s.mutable() {
		all = append(append(all, s.sets(r, hostileValues)...), s.sequences(r)...)
	}
	return all
}

// longEdits are tried on one message of each sort, with this property that it
// has and with those that none has.
func (s *suite) longEdits(has codec.Ref) [][]codec.Edit {
	all := s.sets(has, longValues)
	for _, r := range s.mutable() {
		if r.Key == absentKey {
			all = append(all, s.sets(r, longValues)...)
		}
	}
	return all
}

func (s *suite) sets(r codec.Ref, values []string) (all [][]codec.Edit) {
	if s.properties[r.Property].Type != codec.String {
		return nil
	}
	for _, v := range values {
		all = append(all, []codec.Edit{{Op: codec.Set, Ref: r, Value: []byte(v)}})
	}
	return all
}

// sequences are several edits of one property: each is made on what those
// before it have left.
func (s *suite) sequences(r codec.Ref) [][]codec.Edit {
	one, two := []byte("one"), []byte("another")
	if s.properties[r.Property].Type == codec.Int {
		one, two = []byte("1"), []byte("22")
	}
	set := func(v []byte) codec.Edit { return codec.Edit{Op: codec.Set, Ref: r, Value: v} }
	add := func(v []byte) codec.Edit { return codec.Edit{Op: codec.Add, Ref: r, Value: v} }
	remove := codec.Edit{Op: codec.Remove, Ref: r}
	return [][]codec.Edit{
		{set(one), set(two)}, {add(one), add(two)}, {set(one), add(two)}, {add(one), set(two)},
		{set(one), remove}, {add(one), remove}, {remove, set(one)}, {remove, add(one)},
		{set(one), remove, add(two)}, {remove, add(one), set(two), remove},
	}
}
