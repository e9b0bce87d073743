package thrift

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// everyType is a field of every type, and one of containers in containers.
var everyType = map[uint8]func() []byte{
	binaryStrict: func() []byte {
		return []byte{
			2, 0, 1, 1, 3, 0, 2, 9, 4, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 6, 0, 4, 1, 2,
			8, 0, 5, 1, 2, 3, 4, 10, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 11, 0, 7, 0, 0, 0, 2, 'h', 'i',
			12, 0, 8, 2, 0, 1, 1, 0,
			13, 0, 9, 11, 8, 0, 0, 0, 1, 0, 0, 0, 1, 'k', 0, 0, 0, 1,
			13, 0, 10, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8,
			13, 0, 11, 0, 0, 0, 0, 0, 0,
			14, 0, 12, 11, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 'x',
			15, 0, 13, 15, 0, 0, 0, 2, 2, 0, 0, 0, 1, 1, 12, 0, 0, 0, 1, 0,
			15, 0, 14, 0, 0, 0, 0, 0, 16, 0, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		}
	},
	compact: func() []byte {
		return []byte{
			0x11, 0x12, 0x13, 9, 0x14, 0x80, 1, 0x15, 0xff, 0xff, 3, 0x16, 1, 0x17, 1, 2, 3, 4, 5, 6, 7, 8,
			0x18, 2, 'h', 'i', 0x1c, 0x11, 0, 0x0c, 0xc8, 1, 0,
			0x1b, 1, 0x85, 1, 'k', 2, 0x1b, 1, 0x13, 1, 1, 0x1b, 0,
			0x1a, 0x28, 0, 1, 'x', 0x19, 0x29, 0x11, 1, 0x1c, 0,
			0x19, 0xf6, 2, 1, 0x80, 1, 0x19, 0x00, 0x1d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		}
	},
}

func TestUnframedBodiesOfEveryType(t *testing.T) {
	for protocol, fields := range everyType {
		b := call(unframed|protocol, typeCall, "f", 1, func(uint8) []byte { return fields() })
		for k := 1; k <= len(b); k++ {
			d := New().Decoder(codec.FromClient, codec.DefaultLimits())
			var m codec.Message
			err := d.Next(b[:k:k], nil, nil, &m)
			if k == len(b) {
				if err != nil || m.Size != int64(k) {
					t.Errorf("%s: %+v, %v", variantName(unframed|protocol), m, err)
				}
				break
			}
			if !errors.Is(err, codec.ErrMore) {
				t.Fatalf("%s: %d of %d bytes: size %d, %v", variantName(unframed|protocol), k, len(b), m.Size, err)
			}
			if err = d.Next(b, nil, nil, &m); err != nil || m.Size != int64(len(b)) {
				t.Errorf("%s: split at %d: %+v, %v", variantName(unframed|protocol), k, m, err)
			}
		}
	}
}

// A message of 4 MiB in pieces of 1 KiB: what was passed is destroyed at once,
// and all looking together is not much more than looking once.
func TestNothingIsScannedTwice(t *testing.T) {
	for _, protocol := range []uint8{binaryStrict, compact} {
		b := largeCall(protocol, 4<<20)
		d := New().Decoder(codec.FromClient, codec.DefaultLimits())
		var m codec.Message
		looked, err := 0, codec.ErrMore
		for n := 0; errors.Is(err, codec.ErrMore) && n < len(b); {
			n = min(n+1024, len(b))
			if n < m.Need {
				continue
			}
			from := m.Scan
			looked += n - from
			err = d.Next(b[:n:n], nil, nil, &m)
			for i := from; i < m.Scan; i++ {
				b[i] = 0xa5
			}
		}
		if err != nil || m.Size != int64(len(b)) {
			t.Fatalf("%s: %d of %d bytes, %v", variantName(unframed|protocol), m.Size, len(b), err)
		}
		if limit := len(b) + len(b)/10; looked > limit {
			t.Errorf("%s: %d bytes are looked at for %d", variantName(unframed|protocol), looked, len(b))
		}
	}
}

// largeCall is an unframed call of at least n bytes: maps from strings to
// lists of structs.
func largeCall(protocol uint8, n int) []byte {
	element := []byte{15, 0, 1, 12, 0, 0, 0, 2, 11, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0, 8, 0, 2, 1, 2, 3, 4, 0}
	if protocol == compact {
		element = []byte{0x19, 0x2c, 0x18, 3, 'a', 'b', 'c', 0, 0x25, 0x88, 0x10, 0}
	}
	return call(unframed|protocol, typeCall, "store", 1, func(uint8) []byte {
		return bytes.Repeat(element, n/len(element)+1)
	})
}

func TestHostileBodiesAreRefused(t *testing.T) {
	limits := codec.Limits{Message: 1 << 20, Properties: 16, Depth: 8}
	nested := func(protocol uint8, depth int) []byte { // structs in structs; the outermost is one of them
		field := []byte{12, 0, 1}
		if protocol == compact {
			field = []byte{0x1c}
		}
		return append(bytes.Repeat(field, depth-1), make([]byte, depth-1)...)
	}
	for _, c := range []struct {
		name     string
		protocol uint8
		fields   []byte
		want     string
	}{
		{"2³¹-1 empty structs", binaryStrict, []byte{15, 0, 1, 12, 0x7f, 0xff, 0xff, 0xff}, "over limit"},
		{"2³¹-1 empty structs", compact, []byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07}, "over limit"},
		{"2³¹-1 bools", compact, []byte{0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07}, "over limit"},
		{"2³²-1 bools", compact, []byte{0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x0f}, "negative"},
		{"a map of 2³¹-1", binaryStrict, []byte{13, 0, 1, 12, 12, 0x7f, 0xff, 0xff, 0xff}, "over limit"},
		{"a string of -1", binaryStrict, []byte{11, 0, 1, 0xff, 0xff, 0xff, 0xff}, "negative"},
		{"a string of 2³¹-1", binaryStrict, []byte{11, 0, 1, 0x7f, 0xff, 0xff, 0xff}, "over limit"},
		{"a string of 2³²-1", compact, []byte{0x18, 0xff, 0xff, 0xff, 0xff, 0x0f}, "over limit"},
		{"a length of 36 bits", compact, []byte{0x18, 0xff, 0xff, 0xff, 0xff, 0x7f}, "over 32 bits"},
		{"a number of 77 bits", compact, append([]byte{0x16}, bytes.Repeat([]byte{0xff}, 11)...), "over 64 bits"},
		{"a list of -1", binaryStrict, []byte{15, 0, 1, 8, 0xff, 0xff, 0xff, 0xff}, "negative"},
		{"a list of void", binaryStrict, []byte{15, 0, 1, 1, 0, 0, 0, 1}, "element type 1"},
		{"a list of type 14", compact, []byte{0x19, 0x1e}, "element type 14"},
		{"a field of type 200", binaryStrict, []byte{200, 0, 1}, "field type 200"},
		{"a field of type 15", compact, []byte{0x1f}, "field type 15"},
		{"nine structs", binaryStrict, nested(binaryStrict, 9), "nesting over limit 8"},
		{"nine structs", compact, nested(compact, 9), "nesting over limit 8"},
		{"eight structs", binaryStrict, nested(binaryStrict, 8), ""},
		{"eight structs", compact, nested(compact, 8), ""},
	} {
		b := call(unframed|c.protocol, typeCall, "f", 1, func(uint8) []byte { return c.fields })
		b = append(b, make([]byte, 64)...)
		_, _, err := nextWithin(limits, codec.FromClient, b)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v", c.name, variantName(c.protocol), err)
		}
	}
}

// The elements of a container that claims many cost what is sent for them.
func TestElementsCostWhatIsSent(t *testing.T) {
	b := call(unframed|compact, typeCall, "f", 1, func(uint8) []byte {
		return wire.AppendUvarint([]byte{0x19, 0xfc}, 15<<20) // that many empty structs fit the limit
	})
	d := &decoder{limits: codec.DefaultLimits()}
	var m codec.Message
	if err := d.Next(b, nil, nil, &m); !errors.Is(err, codec.ErrMore) || m.Scan != len(b) || cap(d.stack) > 8 {
		t.Errorf("%v, scanned %d of %d, %d levels", err, m.Scan, len(b), cap(d.stack))
	}
}

func TestHostileFramesAreRefused(t *testing.T) {
	frame := func(n uint32, b ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, n), b...) }
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a frame over the limit", frame(16<<20, 0x80), "over limit"},
		{"an empty frame", frame(0, 0x80), "holds no message"},
		{"a frame of 4 bytes", frame(4, 0x80, 1, 0, 1), "holds no message"},
		{"a frame that ends in the header", frame(6, 0x80, 1, 0, 1, 0, 0), "reaches over its frame"},
		{"a name over the frame", frame(20, 0x80, 1, 0, 1, 0, 0, 0, 12), "name of 12 bytes"},
		{"a negative name", frame(20, 0x80, 1, 0, 1, 0xff, 0xff, 0xff, 0xff), "name of 4294967295"},
		{"version 2", frame(20, 0x80, 2, 0, 1, 0, 0, 0, 1), "version 0x8002"},
		{"type 5", frame(20, 0x80, 1, 0, 5, 0, 0, 0, 1), "message type 5"},
		{"compact version 2", frame(20, 0x82, 0x22, 0, 0, 0), "version 2"},
		{"HTTP", []byte("GET / HTTP/1.1"), "starts with byte 0x47"},
		{"a header over its frame", frame(20, 0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff), "header of 262140 bytes"},
		{"another magic", frame(20, 0x0f, 0xfe, 0, 0, 0, 0, 0, 0, 0, 1), "magic 0x0ffe"},
	} {
		if _, _, err := next(codec.FromClient, c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
