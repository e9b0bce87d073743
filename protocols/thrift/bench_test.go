package thrift

import (
	"errors"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
)

func BenchmarkDecode(b *testing.B) {
	for _, v := range variants {
		message := call(v, typeCall, "sayHello", 7, func(v uint8) []byte {
			if v&protocolMask == compact {
				return []byte{0x18, 4, 'j', 'a', 's', 'n'}
			}
			return []byte{11, 0, 1, 0, 0, 0, 4, 'j', 'a', 's', 'n'}
		})
		want := codec.NewWant(codec.Ref{Property: propMethod})
		b.Run(variantName(v), func(b *testing.B) {
			d := New().Decoder(codec.FromClient, codec.DefaultLimits())
			b.ReportAllocs()
			var m codec.Message
			for b.Loop() {
				m = codec.Message{}
				if err := d.Next(message, want, nil, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLargeUnframed is 4 MiB at once and in pieces of 1 KiB.
func BenchmarkLargeUnframed(b *testing.B) {
	for _, protocol := range []uint8{binaryStrict, compact} {
		message := largeCall(protocol, 4<<20)
		for name, piece := range map[string]int{"whole": len(message), "pieces": 1024} {
			b.Run(variantName(unframed|protocol)+"/"+name, func(b *testing.B) {
				d := New().Decoder(codec.FromClient, codec.DefaultLimits())
				b.SetBytes(int64(len(message)))
				b.ReportAllocs()
				for b.Loop() {
					m, err := codec.Message{}, codec.ErrMore
					for n := 0; n < len(message) && errors.Is(err, codec.ErrMore); {
						n = min(n+piece, len(message))
						err = d.Next(message[:n], nil, nil, &m)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
