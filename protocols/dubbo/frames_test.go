package dubbo

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	hessian "github.com/apache/dubbo-go-hessian2"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Frames for tests are built here by dubbo-go's Hessian2 encoder, and for
// fastjson2 by hand: none of it uses this package's own encoders.

// frame puts a header before a body.
func frame(flags, status byte, id uint64, body []byte) []byte {
	b := []byte{0xda, 0xbb, flags, status}
	b = binary.BigEndian.AppendUint64(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

const (
	twoWay = 0xc0
	oneWay = 0x80
	events = 0xe0
)

// hessianBody encodes values one after the other with dubbo-go-hessian2.
func hessianBody(t testing.TB, values ...any) []byte {
	t.Helper()
	e := hessian.NewEncoder()
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			t.Fatalf("%T: %v", v, err)
		}
	}
	return e.Buffer()
}

// call is the body of a request of Service.method.
func call(t testing.TB, types string, args []any, attachments map[string]any) []byte {
	t.Helper()
	values := append([]any{"2.0.2", "org.example.Service", "1.0.0", "greet", types}, args...)
	m := map[any]any{}
	for k, v := range attachments {
		m[k] = v
	}
	return hessianBody(t, append(values, m)...)
}

// document frames JSONB as Dubbo's FastJson2ObjectOutput does.
func document(jsonb string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(jsonb)))) + jsonb
}

// jstr is a short ASCII string of JSONB.
func jstr(s string) string { return string([]byte{0x49 + byte(len(s))}) + s }

// jcall is the body of a fastjson2 request.
func jcall(types string, args []string, attachments ...string) []byte {
	b := document(jstr("2.0.2")) + document(jstr("org.example.Service")) + document(jstr("1.0.0")) +
		document(jstr("greet"))
	if len(types) < 48 {
		b += document(jstr(types))
	} else {
		b += document("\x79" + string([]byte{0x38, byte(len(types))}) + types)
	}
	for _, a := range args {
		b += document(a)
	}
	return []byte(b + document("\xa6"+strings.Join(attachments, "")+"\xa5"))
}

var properties = New().Properties()

// ref resolves a property as users write it.
func ref(t testing.TB, name string) codec.Ref {
	t.Helper()
	r, err := codec.FindProperty(properties, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decoderOf(s codec.Side) codec.Decoder { return New().Decoder(s, codec.DefaultLimits()) }

// everything wants what replies can have too.
func everything(t testing.TB) *codec.Want { return codec.NewWant(ref(t, "attachment[any]")) }

// decode reads one whole message.
func decode(t testing.TB, d codec.Decoder, b []byte) *codec.Message {
	t.Helper()
	m := new(codec.Message)
	if err := d.Next(b, everything(t), nil, m); err != nil {
		t.Fatalf("%v of % x", err, b)
	}
	if m.Size != int64(len(b)) {
		t.Fatalf("size %d of %d bytes", m.Size, len(b))
	}
	return m
}

// get returns a property as text; "-" where it is absent.
func get(t testing.TB, d codec.Decoder, b []byte, m *codec.Message, name string) string {
	t.Helper()
	v, ok := d.Get(b, m, ref(t, name))
	switch {
	case !ok:
		return "-"
	case v.IsInt:
		return "int " + itoa(v.Int)
	}
	return string(v.Bytes)
}

func itoa(n int64) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func isMore(err error) bool { return errors.Is(err, codec.ErrMore) }
