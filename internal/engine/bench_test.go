package engine

import (
	"fmt"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// One operation is one request and its reply; 64 clients have one in flight
// each, and every iteration serves them all, as a busy loop does.
func BenchmarkBatch(b *testing.B) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		b.Run(fmt.Sprint("parallel=", p.T.Parallel), func(b *testing.B) { benchmarkBatch(b, p) })
	}
}

func benchmarkBatch(b *testing.B, p *toy.Protocol) {
	x := newWorld(&testing.T{}, p, byMethod)
	var clients []*link
	msg := request(1, "a")
	for range 64 {
		clients = append(clients, x.client())
	}
	for _, c := range clients {
		x.send(c, msg)
	}
	for i := range x.dials {
		x.up(i)
	}
	buf := make([]byte, 64<<10)
	answer := func() {
		for _, up := range x.dials {
			n := copy(buf, up.got)
			up.got = up.got[:0]
			for at := 0; at < n; {
				buf[at+2] = byte(codec.Reply)
				at += 16 + int(number(buf[at+12:]))
			}
			x.w.Readable(up.id, buf[:n])
		}
		x.w.Flush(x.now)
		for _, c := range clients {
			c.got = c.got[:0]
		}
	}
	answer()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += len(clients) {
		x.w.Wake(x.now)
		for _, c := range clients {
			x.w.Readable(c.id, buf[:copy(buf, msg)])
		}
		x.w.Flush(x.now)
		answer()
	}
}
