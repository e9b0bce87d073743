package dubbo

import (
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
)

// wantMethod is what a typical rule reads.
func wantMethod(t testing.TB) *codec.Want { return codec.NewWant(ref(t, "method")) }

func sample(t testing.TB, payload int) []byte {
	return frame(twoWay|2, 0, 1, call(t, "Ljava/lang/String;", []any{strings.Repeat("x", payload)}, map[string]any{
		"timeout": "3000", "path": "org.example.Service", "interface": "org.example.Service", "version": "1.0.0", "remote.application": "shop",
	}))
}

func BenchmarkNext(b *testing.B) {
	many := make([]string, 0, 16)
	for _, a := range []string{"timeout", "3000", "path", "org.example.Service", "interface", "org.example.Service", "version", "1.0.0"} {
		many = append(many, jstr(a))
	}
	for name, msg := range map[string][]byte{
		"hessian2/128B":  sample(b, 128),
		"hessian2/4KiB":  sample(b, 4096),
		"fastjson2/128B": frame(twoWay|23, 0, 1, jcall("Ljava/lang/String;", []string{"\x79\x38\x80" + strings.Repeat("x", 128)}, many...)),
		"reply":          frame(2, 20, 1, append(hessianBody(b, int32(1)), sample(b, 128)...)),
		"unread":         frame(twoWay|8, 0, 1, sample(b, 128)),
	} {
		side := codec.FromClient
		if name == "reply" {
			side = codec.FromServer
		}
		b.Run(name, func(b *testing.B) {
			d, want, r := decoderOf(side), wantMethod(b), ref(b, "method")
			memo := func(uint64) uint64 { return 1 }
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				var m codec.Message
				if err := d.Next(msg, want, memo, &m); err != nil {
					b.Fatal(err)
				}
				d.Get(msg, &m, r)
			}
		})
	}
}
