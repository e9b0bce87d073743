package codectest

import (
	"errors"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// checkAllocations: what is done for every message allocates nothing once its
// buffers have grown.
func (s *suite) checkAllocations() {
	for _, f := range s.eachSort() {
		w := worker{suite: s, f: f, d: s.ready(f), b: append([]byte(nil), f.b...)}
		w.memo = func(uint64) uint64 { return f.memo }
		s.at("%s: again and again", f.name)
		if err := errors.Join(w.serve(), w.serve()); err != nil {
			s.failf("%s: decoded again: %v", f.name, err)
			continue
		}
		if n := testing.AllocsPerRun(20, func() { w.serve() }); n > 0 {
			s.failf("%s: %v allocations to decode, read, renumber, edit and answer it", f.name, n)
		}
	}
}

// worker does with one message what a worker of the engine does, into buffers
// that are used again.
type worker struct {
	*suite
	f      *frame
	d      codec.Decoder
	b      []byte
	m      codec.Message
	o      codec.Origin
	memo   func(uint64) uint64
	patch  wire.Patch
	buffer []byte
}

func (w *worker) serve() error {
	w.m = codec.Message{}
	if err := w.d.Next(w.b, w.all, w.memo, &w.m); err != nil {
		return err
	}
	for _, r := range w.refs {
		w.d.Get(w.b, &w.m, r)
	}
	if n, ok := w.p.(codec.Renumberer); ok && n.CanPutID(&w.m) {
		n.PutID(w.b, &w.m, w.m.ID)
	}
	if mutator, ok := w.p.(codec.Mutator); ok {
		for _, e := range w.edits {
			w.patch.Reset()
			if mutator.Mutate(&w.patch, w.b, &w.m, e) == nil {
				w.buffer = w.patch.AppendTo(w.buffer[:0], w.b)
			}
		}
	}
	if r, ok := w.p.(codec.Responder); ok && w.m.Kind == codec.Request {
		w.o = codec.Origin{ID: w.m.ID, Memo: w.m.Memo, Variant: w.m.Variant, Kept: w.m.Keep.Of(w.b)}
		w.buffer = r.AppendReply(w.buffer[:0], &w.o, codec.LocalReply{Cause: codec.NoRoute, Text: "no route matches"})
	}
	return nil
}
