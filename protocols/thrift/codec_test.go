package thrift

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/codec/codectest"
)

func kit() codectest.Kit {
	return codectest.Kit{
		Protocol: New(),
		Captures: os.DirFS("testdata/captures"),
		Keys:     []string{"user", "empty", "city"},
		Speaks:   []string{"thrift"},
	}
}

func TestConformance(t *testing.T) { codectest.Run(t, kit()) }

func FuzzDecoder(f *testing.F) { codectest.Fuzz(f, kit()) }

// The captures say which functions were called; what came of each is a matter
// of the example service.
func TestCapturedCalls(t *testing.T) {
	captures, err := codectest.LoadCaptures(os.DirFS("testdata/captures"))
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]codec.Status{"fail": codec.AppError, "crash": codec.ProtocolError, "missing": codec.ProtocolError}
	for _, c := range captures {
		var called []string
		for _, f := range c.Frames {
			m, d, err := next(f.Side, f.Bytes)
			if err != nil {
				t.Fatalf("%s:%d: %v", c.Name, f.Line, err)
			}
			function, _ := d.Get(f.Bytes, &m, codec.Ref{Property: propFunction})
			if f.Side == codec.FromClient {
				called = append(called, string(function.Bytes))
			} else if m.Status != status[string(function.Bytes)] {
				t.Errorf("%s:%d: %s has status %d", c.Name, f.Line, function.Bytes, m.Status)
			}
			service, multiplexed := d.Get(f.Bytes, &m, codec.Ref{Property: propService})
			if want := strings.Contains(c.Name, "multiplexed") && f.Side == codec.FromClient; multiplexed != want {
				t.Errorf("%s:%d: service %q", c.Name, f.Line, service.Bytes)
			}
		}
		if got := "called: " + strings.Join(called, ","); !contains(c.Comments, got) {
			t.Errorf("%s: %s", c.Name, got)
		}
	}
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// next decodes one message with a decoder of its own.
func next(s codec.Side, b []byte, want ...codec.Ref) (codec.Message, codec.Decoder, error) {
	return nextWithin(codec.DefaultLimits(), s, b, want...)
}

func nextWithin(l codec.Limits, s codec.Side, b []byte, want ...codec.Ref) (m codec.Message, d codec.Decoder, err error) {
	d = New().Decoder(s, l)
	err = d.Next(b, codec.NewWant(want...), nil, &m)
	return m, d, err
}

func TestEveryVariantIsRead(t *testing.T) {
	for _, v := range variants {
		t.Run(variantName(v), func(t *testing.T) {
			b := call(v, typeCall, "Calculator:add", 7, noFields)
			m, d, err := next(codec.FromClient, b)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{"Calculator:add", "Calculator", "add"} {
				if got, ok := d.Get(b[:m.Head], &m, codec.Ref{Property: i}); !ok || string(got.Bytes) != want {
					t.Errorf("property %d is %q, %v", i, got.Bytes, ok)
				}
			}
			if m.Variant != v || m.ID != 7 || m.Kind != codec.Request || m.Size != int64(len(b)) || string(m.Keep.Of(b)) != "add" {
				t.Errorf("%+v", m)
			}
			if New().Sniff(b) != codec.Yes {
				t.Error("not sniffed")
			}
		})
	}
}

func TestKindsAndStatus(t *testing.T) {
	for _, v := range variants {
		for _, c := range []struct {
			side   codec.Side
			kind   uint8
			fields func(v uint8) []byte
			want   codec.Kind
			status codec.Status
		}{
			{codec.FromClient, typeCall, noFields, codec.Request, codec.OK},
			{codec.FromClient, typeOneway, noFields, codec.Oneway, codec.OK},
			{codec.FromServer, typeReply, noFields, codec.Reply, codec.OK},
			{codec.FromServer, typeReply, func(v uint8) []byte { return boolField(v, 0) }, codec.Reply, codec.OK},
			{codec.FromServer, typeReply, func(v uint8) []byte { return boolField(v, 1) }, codec.Reply, codec.AppError},
			{codec.FromServer, typeReply, func(v uint8) []byte { return boolField(v, 300) }, codec.Reply, codec.AppError},
			{codec.FromServer, typeException, noFields, codec.Reply, codec.ProtocolError},
		} {
			b := call(v, c.kind, "f", 1, c.fields)
			m, _, err := next(c.side, b)
			if err != nil || m.Kind != c.want || m.Status != c.status {
				t.Errorf("%s, type %d, %x: %v, status %d, %v", variantName(v), c.kind, b, m.Kind, m.Status, err)
			}
			if _, _, err := next(1-c.side, b); err == nil {
				t.Errorf("%s: type %d is accepted from the wrong side", variantName(v), c.kind)
			}
		}
	}
}

func TestAConnectionKeepsItsVariant(t *testing.T) {
	for _, first := range variants {
		for _, second := range variants {
			d := New().Decoder(codec.FromClient, codec.DefaultLimits())
			var m codec.Message
			if err := d.Next(call(first, typeCall, "f", 1, noFields), nil, nil, &m); err != nil {
				t.Fatal(err)
			}
			m = codec.Message{}
			err := d.Next(call(second, typeCall, "f", 2, noFields), nil, nil, &m)
			if (err == nil) != (first == second) {
				t.Errorf("%s after %s: %v", variantName(second), variantName(first), err)
			}
		}
	}
}

func TestWhichIDsCanBeRewritten(t *testing.T) {
	p := New()
	for _, v := range variants {
		b := call(v, typeCall, "f", 0xfffffffe, noFields)
		m, _, err := next(codec.FromClient, b)
		if err != nil || m.ID != 0xfffffffe {
			t.Fatalf("%+v, %v", m, err)
		}
		if p.CanPutID(&m) != (v&protocolMask != compact) {
			t.Errorf("%s: %v", variantName(v), p.CanPutID(&m))
		}
	}
	b := call(header|binaryStrict, typeCall, "f", 7, noFields)
	b[headerSeqAt+3] = 9 // fbthrift has the id in the header only
	if m, _, err := next(codec.FromClient, b); err != nil || p.CanPutID(&m) || m.ID != 7 || m.Memo != 9 {
		t.Errorf("ids that differ: %+v, %v", m, err)
	}
}

func TestAnIdleConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(decoder{}); n > 64 {
		t.Errorf("a decoder has %d bytes", n)
	}
}
