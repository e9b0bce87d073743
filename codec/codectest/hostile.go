package codectest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime/metrics"

	"github.com/aeraki-mesh/aeraki/codec"
)

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
	known := s.feed(f) // when a decoder without such a limit asks for the last byte, or is done
	n := 1
	for known.try(n) && known.m.Need < len(f.b) && n < len(f.b) {
		n++
	}
	x := s.feed(f)
	x.d = s.p.Decoder(f.side, limits)
	for k := 1; x.try(k); k++ {
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

// hostileWords are written over every part of a message that could be a
// length.
var hostileWords = []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x10001,
	0x7fffffff, 0x80000000, 0xffffffff}

// wholly is how many kinds of messages are overwritten from end to end; of
// all others the first bytes are, where lengths are dense.
const (
	wholly = 24
	partly = 32
)

// checkHostileLengths: no length makes a decoder panic, allocate, ask for more
// than the limit or change its mind when the bytes come in pieces.
func (s *suite) checkHostileLengths() {
	seen := map[codec.Message]bool{}
	for _, f := range s.frames {
		kind := codec.Message{Kind: f.m.Kind, Status: f.m.Status, Variant: f.m.Variant, Pin: f.m.Pin, Need: int(f.side)}
		end := len(f.b)
		if seen[kind] || len(seen) >= wholly {
			end = min(end, partly)
		}
		seen[kind] = true
		for i := range min(end, 4096) {
			s.overwrite(f, i)
		}
	}
}

func (s *suite) overwrite(f *frame, i int) {
	b := bytes.Clone(f.b)
	for _, word := range hostileWords {
		s.at("%s: %#x at byte %d", f.name, word, i)
		if i+4 <= len(b) {
			binary.BigEndian.PutUint32(b[i:], word)
			s.probe(f, b)
			binary.LittleEndian.PutUint32(b[i:], word)
			s.probe(f, b)
			copy(b[i:], f.b[i:])
		}
		if i+2 <= len(b) && word <= 0xffff {
			binary.BigEndian.PutUint16(b[i:], uint16(word))
			s.probe(f, b)
			copy(b[i:], f.b[i:])
		}
	}
	for _, c := range []byte{0, 0x7f, 0x80, 0xff} {
		s.at("%s: %#x at byte %d", f.name, c, i)
		b[i] = c
		s.probe(f, b)
		b[i] = f.b[i]
	}
}

// checkRandom: nor does what is no message at all.
func (s *suite) checkRandom() {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 4000 {
		f := s.frames[random.IntN(len(s.frames))]
		b := bytes.Clone(f.b)
		if i%2 == 0 {
			b = make([]byte, 1+random.IntN(300))
			for j := range b {
				b[j] = byte(random.Uint32())
			}
		}
		for range 1 + random.IntN(6) {
			b[random.IntN(len(b))] = byte(random.Uint32())
		}
		b = b[:1+random.IntN(len(b))]
		s.at("%s: random bytes, case %d: %x", f.name, i, b[:min(len(b), 80)])
		s.probe(f, b)
		s.sameInPieces(f, b, 1+random.IntN(7))
		s.p.Sniff(b)
	}
}

// maxEvents bounds the messages that are read from hostile bytes.
const maxEvents = 64

// probe decodes hostile bytes in the place of f, and does with each message
// what the engine does.
func (s *suite) probe(f *frame, b []byte) {
	d := s.ready(f)
	before := allocated()
	total := len(b)
	var m codec.Message
	for range maxEvents {
		if len(b) == 0 {
			break
		}
		m = codec.Message{}
		err := d.Next(b, s.all, s.memo(f), &m)
		if err != nil {
			if isMore(err) && (m.Scan < 0 || m.Scan > len(b) || m.Need != 0 && m.Need <= len(b) || int64(m.Need) > s.kit.Limits.Message) {
				s.failf("%s: with %d bytes there, Scan is %d and Need %d", s.where(), len(b), m.Scan, m.Need)
			}
			break
		}
		if err := found(&m, len(b)); err != nil {
			s.failf("%s: %v", s.where(), err)
			break
		}
		if m.Size > s.kit.Limits.Message {
			s.failf("%s: a message of %d bytes is accepted with a limit of %d", s.where(), m.Size, s.kit.Limits.Message)
		}
		s.use(f.side, d, b, &m)
		if m.Size > int64(len(b)) {
			break
		}
		b = b[m.Size:]
	}
	if grown := allocated() - before; grown > uint64(1<<20+16*total) {
		s.failf("%s: %d bytes are allocated for %d received", s.where(), grown, total)
	}
}

// use calls whatever the engine may call with a message.
func (s *suite) use(side codec.Side, d codec.Decoder, b []byte, m *codec.Message) {
	for _, r := range s.refs {
		d.Get(b[:m.Head:m.Head], m, r)
	}
	if n, ok := s.p.(codec.Renumberer); ok && n.CanPutID(m) {
		n.PutID(bytes.Clone(b[:m.Head]), m, 1<<40-1)
	}
	if r, ok := s.p.(codec.Responder); ok && side == codec.FromClient && m.Kind == codec.Request {
		s.buffer = r.AppendReply(s.buffer[:0], origin(b, m), codec.LocalReply{Cause: codec.TimedOut, Text: "codectest"})
	}
	if r, ok := s.p.(codec.Retrier); ok && m.Kind == codec.Request {
		r.SafeToRetry(b[:m.Head], m)
	}
	if h, ok := s.p.(codec.Heartbeater); ok && m.Kind == codec.Heartbeat {
		h.AppendHeartbeatReply(nil, b[:m.Head], m)
	}
	if mutator, ok := s.p.(codec.Mutator); ok && m.Size <= int64(len(b)) {
		whole := b[:m.Size:m.Size]
		for _, edits := range s.edits {
			s.patch.Reset()
			err := mutator.Mutate(&s.patch, whole, m, edits)
			if err == nil {
				s.buffer = s.patch.AppendTo(s.buffer[:0], whole)
			} else if !errors.Is(err, codec.ErrNoCarrier) {
				s.failf("%s: mutating: %v", s.where(), err)
			}
		}
	}
}

// sameInPieces holds what comes of bytes in pieces against what comes of all
// of them at once.
func (s *suite) sameInPieces(f *frame, b []byte, piece int) {
	memo := func(int) uint64 { return f.memo }
	whole := s.stream(s.ready(f), b, memo, func() int { return len(b) })
	pieces := s.stream(s.ready(f), b, memo, func() int { return piece })
	for i := range max(len(whole), len(pieces)) {
		if i >= len(whole) || i >= len(pieces) || whole[i] != pieces[i] {
			s.failf("%s: message %d of %x\nis %+v\nand in pieces of %d %+v", s.where(), i, b,
				whole[min(i, len(whole)-1)], piece, pieces[min(i, len(pieces)-1)])
			return
		}
	}
}

// allocated returns how many bytes the process has allocated so far. Small
// allocations count late, which does for finding large ones.
func allocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
