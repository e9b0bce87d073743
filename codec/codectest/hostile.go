package codectest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime/metrics"
)

// hostileWords are written over every part of a message that could be a
// length.
var hostileWords = []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x10001,
	0x7fffffff, 0x80000000, 0xffffffff}

// Places of a message that are overwritten: so many of the first of its sort,
// so many of some others, at their begin mostly, where lengths are dense. Long
// messages have fewer, for each place is looked at as long as the message is.
const (
	manyPlaces  = 2048
	fewPlaces   = 24
	similar     = 3
	lookedAt    = 1 << 20
	leastPlaces = 16
)

// checkHostileLengths: no length makes a decoder panic, allocate or ask for
// more than the limit.
func (s *suite) checkHostileLengths() {
	for _, f := range s.frames {
		most := manyPlaces
		if f.rank > 0 {
			most = fewPlaces
		}
		if f.rank > similar {
			continue
		}
		s.overwrite(f, 0)
		for _, i := range cuts(len(f.b), min(most, max(leastPlaces, lookedAt/len(f.b)))) {
			s.overwrite(f, i)
		}
	}
}

func (s *suite) overwrite(f *frame, i int) {
	s.at("%s: hostile lengths at byte %d", f.name, i)
	before, probes := allocated(), 0
	try := func(b []byte, word uint32) {
		probes++
		s.hostile = word
		s.probe(f, b)
	}
	b := append(s.overwritten[:0], f.b...)
	s.overwritten = b
	for _, word := range hostileWords {
		if i+4 <= len(b) {
			binary.BigEndian.PutUint32(b[i:], word)
			try(b, word)
			binary.LittleEndian.PutUint32(b[i:], word)
			try(b, word)
			copy(b[i:], f.b[i:i+4])
		}
		if i+2 <= len(b) && word <= 0xffff {
			binary.BigEndian.PutUint16(b[i:], uint16(word))
			try(b, word)
			copy(b[i:], f.b[i:i+2])
		}
	}
	for _, c := range []byte{0, 0x7f, 0x80, 0xff} {
		b[i] = c
		try(b, uint32(c))
		b[i] = f.b[i]
	}
	s.frugal(before, probes*len(b))
}

// checkRandom: nor does what is no message at all.
func (s *suite) checkRandom() {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10000 {
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
		before := allocated()
		s.probe(f, b)
		s.frugal(before, len(b))
		s.sameInPieces(f, b, 1+random.IntN(7))
		s.p.Sniff(b)
	}
}

// sameInPieces holds what comes of bytes in pieces against what comes of all
// of them at once.
func (s *suite) sameInPieces(f *frame, b []byte, piece int) {
	memo := func(int) uint64 { return f.memo }
	piece = max(piece, len(b)/512) // a long message in bytes takes for ever
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

// frugal reports what was allocated since before, when so many bytes were
// decoded, if that is more than decoders have a use for.
func (s *suite) frugal(before uint64, received int) {
	if grown := allocated() - before; grown > uint64(1<<20+16*received) {
		s.failf("%s: %d bytes are allocated for %d received", s.where(), grown, received)
	}
}

// allocated returns how many bytes the process has allocated so far. Small
// allocations count late, which does for finding large ones.
func allocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
