package codectest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// maxStages is how often a decoder may tell how many bytes it needs without
// having moved Scan: a prefix, a header, a body, some lengths in them.
const maxStages = 10

// linear holds a fed decoder to work in proportion to the message: what it
// may have looked at is counted, from Scan on, in each call.
func (s *suite) linear(x *feeding, what string) {
	if limit := 6*len(x.b) + 64; x.cost > limit { // a few stages, each asked for by length
		s.failf("%s: %d bytes are looked at %d times: more than %d", what, len(x.b), x.cost, limit)
	}
	if x.stages > maxStages {
		s.failf("%s: Next asks for so many bytes %d times and leaves Scan where it is", what, x.stages)
	}
}

// checkGrowth: the work grows with the message and not with its square,
// however many entries it has and however long they are. Captured messages are
// small, so they are made large by edits; without a Mutator there are none.
func (s *suite) checkGrowth() {
	mutator, ok := s.p.(codec.Mutator)
	if !ok {
		return
	}
	for _, f := range s.eachSort() {
		if !editable(f) {
			continue
		}
		for i, p := range s.properties {
			for _, n := range []int{8, 64, 250} {
				if p.Mutable && p.Type == codec.String {
					s.grow(mutator, f, growing(p, i, min(n, s.kit.Limits.Properties/2)))
				}
			}
		}
	}
}

// growing are edits that add n entries to a family, or make a plain property
// n bytes long.
func growing(p codec.Property, index, n int) []codec.Edit {
	if !p.Keyed {
		return []codec.Edit{{Ref: codec.Ref{Property: index}, Value: []byte(strings.Repeat("x", n))}}
	}
	var edits []codec.Edit
	for i := range n {
		edits = append(edits, codec.Edit{Ref: codec.Ref{Property: index, Key: fmt.Sprintf("codectest-%d", i)}, Value: []byte("grown")})
	}
	return edits
}

func (s *suite) grow(mutator codec.Mutator, f *frame, edits []codec.Edit) {
	s.at("%s: grown by %d edits of %s", f.name, len(edits), codec.RefName(s.properties, edits[0].Ref))
	_, m := s.described(f, s.all)
	var p wire.Patch
	b := bytes.Clone(f.b)
	if mutator.Mutate(&p, b, m, edits) != nil {
		return
	}
	if b = p.AppendTo(nil, b); int64(len(b)) > s.kit.Limits.Message {
		return
	}
	for _, step := range []int{1, 7, 64} {
		x := &feeding{suite: s, d: s.ready(f), b: b, memo: s.memo(f), want: s.all}
		if x.asAsked(step); x.err != nil {
			s.failf("%s: %v", s.where(), x.err)
			return
		}
		s.linear(x, s.where())
	}
}
