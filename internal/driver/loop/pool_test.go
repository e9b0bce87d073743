package loop

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Whatever is appended comes out in order, and an empty one owns nothing.
func TestKept(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p pool
	var k kept
	var want []byte
	for i := range 20_000 {
		piece := make([]byte, r.IntN(3000))
		for j := range piece {
			piece[j] = byte(i + j)
		}
		if len(piece) > 0 {
			k.append(&p, piece)
			want = append(want, piece...)
		}
		if !bytes.Equal(k.bytes(), want) {
			t.Fatalf("step %d: %d bytes differ", i, len(want))
		}
		n := r.IntN(len(want) + 1)
		if r.IntN(3) == 0 {
			n = len(want)
		}
		k.consume(&p, n)
		want = want[n:]
		if len(want) == 0 && k.buf != nil {
			t.Fatal("an empty one keeps a buffer")
		}
	}
	if p.idle > poolBytes {
		t.Errorf("the pool keeps %d bytes", p.idle)
	}
}
