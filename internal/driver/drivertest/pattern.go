package drivertest

import (
	"bytes"
	"math/rand/v2"
)

// pattern is what long transfers repeat: random, so that a byte lost,
// doubled or moved shows.
var pattern = func() []byte {
	b := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(20, 26))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// patternAt returns up to n bytes of the endless pattern from position at; it
// must not be changed.
func patternAt(at, n int) []byte {
	from := at % len(pattern)
	return pattern[from:min(from+n, len(pattern))]
}

// verifier checks a run of the pattern.
type verifier struct {
	at    int
	wrong bool
}

func (v *verifier) take(b []byte) {
	for len(b) > 0 && !v.wrong {
		want := patternAt(v.at, len(b))
		v.wrong = !bytes.Equal(b[:len(want)], want)
		v.at += len(want)
		b = b[len(want):]
	}
}

// sendPattern has a peer send n bytes of the pattern.
func sendPattern(p Peer, n int) {
	for at := 0; at < n; {
		b := patternAt(at, n-at)
		p.Write(b)
		at += len(b)
	}
}
