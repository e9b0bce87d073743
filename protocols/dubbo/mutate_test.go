package dubbo

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	hessian "github.com/apache/dubbo-go-hessian2"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

func set(t testing.TB, key, value string) codec.Edit {
	return codec.Edit{Op: codec.Set, Ref: codec.Ref{Property: propAttachment, Key: key}, Value: []byte(value)}
}

func add(t testing.TB, key, value string) codec.Edit {
	e := set(t, key, value)
	e.Op = codec.Add
	return e
}

func remove(t testing.TB, key string) codec.Edit {
	e := set(t, key, "")
	e.Op = codec.Remove
	return e
}

// mutate returns the message with the edits made.
func mutate(t testing.TB, p *Protocol, b []byte, m *codec.Message, edits ...codec.Edit) ([]byte, error) {
	t.Helper()
	var patch wire.Patch
	if err := p.Mutate(&patch, b, m, edits); err != nil {
		return nil, err
	}
	out := patch.AppendTo(nil, b)
	if len(out)-len(b) != patch.Grow() {
		t.Fatalf("grew %d, not %d", len(out)-len(b), patch.Grow())
	}
	return out, nil
}

func TestEditsOfRequests(t *testing.T) {
	long := strings.Repeat("0123456789", 10000)
	for name, b := range map[string][]byte{
		"hessian2": frame(twoWay|2, 0, 1, call(t, "Ljava/lang/String;", []any{"hi"},
			map[string]any{"User": "jason", "n": int32(5), "list": []any{"x"}})),
		"fastjson2": frame(twoWay|23, 0, 1, jcall("Ljava/lang/String;", []string{jstr("hi")},
			jstr("User"), jstr("jason"), jstr("n"), "\x05", jstr("list"), "\x95"+jstr("x"))),
	} {
		for _, c := range []struct {
			edits []codec.Edit
			want  string // User, user, n, new
		}{
			{[]codec.Edit{set(t, "new", "1")}, "jason jason 5 1"},
			{[]codec.Edit{set(t, "User", "eve")}, "eve eve 5 -"},
			{[]codec.Edit{set(t, "user", "eve")}, "jason eve 5 -"},
			{[]codec.Edit{add(t, "user", "eve")}, "jason jason 5 -"},
			{[]codec.Edit{add(t, "new", "a"), add(t, "NEW", "b")}, "jason jason 5 a"},
			{[]codec.Edit{set(t, "new", "a"), set(t, "new", "b")}, "jason jason 5 b"},
			{[]codec.Edit{remove(t, "user")}, "- - 5 -"},
			{[]codec.Edit{remove(t, "user"), set(t, "user", "back")}, "back back 5 -"},
			{[]codec.Edit{set(t, "new", "x"), remove(t, "NEW")}, "jason jason 5 -"},
			{[]codec.Edit{set(t, "n", "six"), set(t, "new", "é😀")}, "jason jason six é😀"},
			{[]codec.Edit{set(t, "new", long)}, "jason jason 5 " + long},
			{[]codec.Edit{set(t, "new", "")}, "jason jason 5 "},
			{[]codec.Edit{remove(t, "nobody")}, "jason jason 5 -"},
			{nil, "jason jason 5 -"},
		} {
			p, d := New(), decoderOf(codec.FromClient)
			out, err := mutate(t, p, b, decode(t, d, b), c.edits...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m := decode(t, d, out)
			var got []string
			for _, key := range []string{"User", "user", "n", "new"} {
				got = append(got, strings.TrimPrefix(get(t, d, out, m, key), "int "))
			}
			want := c.want
			if name == "hessian2" && len(want) > 1<<16 {
				want = "jason jason 5 -" // in pieces: not read, but there
			}
			if joined := strings.Join(got, " "); joined != want || Malformed(m) || get(t, d, out, m, "argument[0]") != "hi" {
				t.Errorf("%s %.60v: %.60q, want %.60q", name, c.edits, joined, want)
			}
		}
	}
}

// The receiver's own decoder must see what was edited, and nothing else
// changed.
func TestEditsAsDubboGoReadsThem(t *testing.T) {
	long := strings.Repeat("é😀x", 20000)
	b := frame(twoWay|2, 0, 1, call(t, "Ljava/util/Map;", []any{map[any]any{"k": "v"}}, map[string]any{"a": "1", "b": "2"}))
	p := New()
	out, err := mutate(t, p, b, decode(t, decoderOf(codec.FromClient), b), remove(t, "a"), set(t, "b", long), set(t, "c", "😀"))
	if err != nil {
		t.Fatal(err)
	}
	dec := hessian.NewDecoder(out[headerLen:])
	var last any
	for range 7 {
		if last, err = dec.Decode(); err != nil {
			t.Fatal(err)
		}
	}
	got := last.(map[any]any)
	if len(got) != 2 || got["b"] != long || got["c"] != "😀" {
		t.Errorf("%.80v", got)
	}
}

func TestStructuresStay(t *testing.T) {
	p, d := New(), decoderOf(codec.FromClient)
	for name, b := range map[string][]byte{
		"hessian2":  frame(twoWay|2, 0, 1, call(t, "", nil, map[string]any{"list": []any{"x"}})),
		"fastjson2": frame(twoWay|23, 0, 1, jcall("", nil, jstr("list"), "\x95"+jstr("x"))),
	} {
		m := decode(t, d, b)
		for _, e := range []codec.Edit{remove(t, "list"), set(t, "list", "x")} {
			if _, err := mutate(t, p, b, m, e); !errors.Is(err, codec.ErrNoCarrier) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if out, err := mutate(t, p, b, m, add(t, "list", "x")); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Objects among the attachments need the class definitions of arguments.
func TestEditsBehindObjects(t *testing.T) {
	body := hessianBody(t, "2.0.2", "p", "1", "m", "Lorg/example/P;")
	body = append(body, "C\x01P\x91\x01x\x60\x95"...)                    // class P{x}, an object with x=5
	body = append(body, "H\x01o\x60\x96\x01u\x05jason\x01r\x51\x90Z"...) // another as attachment o, a reference
	b := frame(twoWay|2, 0, 1, body)
	p, d := New(), decoderOf(codec.FromClient)
	m := decode(t, d, b)
	if got := get(t, d, b, m, "u"); got != "jason" || Malformed(m) {
		t.Fatal(got)
	}
	out, err := mutate(t, p, b, m, set(t, "u", "eve"), remove(t, "r"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(body), "\x05jason\x01r\x51\x90", "\x03eve", 1)
	if string(out[headerLen:]) != want {
		t.Errorf("%q", out)
	}
}

func TestNullAttachmentsBecomeAMap(t *testing.T) {
	p, d := New(), decoderOf(codec.FromClient)
	for name, b := range map[string][]byte{
		"hessian2":  frame(twoWay|2, 0, 1, append(hessianBody(t, "2.0.2", "p", "1", "m", ""), 'N')),
		"fastjson2": frame(twoWay|23, 0, 1, []byte(strings.Replace(string(jcall("", nil)), "\x00\x00\x00\x02\xa6\xa5", "\x00\x00\x00\x01\xaf", 1))),
	} {
		m := decode(t, d, b)
		out, err := mutate(t, p, b, m, set(t, "u", "eve"))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := get(t, d, out, decode(t, d, out), "u"); got != "eve" {
			t.Errorf("%s: %q", name, got)
		}
		if out, err = mutate(t, p, b, m, remove(t, "u")); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEditsOfReplies(t *testing.T) {
	value := hessianBody(t, "a value")
	jvalue := document(jstr("a value"))
	for _, c := range []struct {
		name   string
		b      []byte
		memo   uint64
		region string // afterwards; "" for ErrNoCarrier
	}{
		{"value", frame(2, 20, 1, append([]byte{0x91}, value...)), 1, "east"},
		{"value of dubbo-go", frame(2, 20, 1, append(append([]byte{0x91}, value...), 'N')), 1, "east"},
		{"null", frame(2, 20, 1, []byte{0x92}), 1, "east"},
		{"exception", frame(2, 20, 1, append([]byte{0x90}, value...)), 1, "east"},
		{"value for an old client", frame(2, 20, 1, append([]byte{0x91}, value...)), 0, ""},
		{"value with attachments", frame(2, 20, 1, append(append([]byte{0x94}, value...), "H\x06region\x04westZ"...)), 0, "east"},
		{"null with attachments", frame(2, 20, 1, []byte("\x95H\x01a\x01bZN")), 0, "east"},
		{"exception with null attachments", frame(2, 20, 1, append(append([]byte{0x93}, value...), 'N')), 0, "east"},
		{"status", frame(2, 70, 1, value), 1, ""},
		{"kryo", frame(8, 20, 1, value), 1, ""},
		{"broken", frame(2, 20, 1, []byte{0x91, 9, 'x'}), 1, ""},
		{"value, fastjson2", frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x01"+jvalue)), 1, "east"},
		{"null, fastjson2", frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x02")), 1, "east"},
		{"attached, fastjson2", frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x04"+jvalue+document("\xa6"+jstr("region")+jstr("west")+"\xa5"))), 0, "east"},
	} {
		p, d := New(), decoderOf(codec.FromServer)
		m := new(codec.Message)
		if err := d.Next(c.b, nil, func(uint64) uint64 { return c.memo }, m); err != nil {
			t.Fatal(c.name, err)
		}
		out, err := mutate(t, p, c.b, m, set(t, "region", "east"))
		if c.region == "" {
			if !errors.Is(err, codec.ErrNoCarrier) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		again := decode(t, d, out)
		if got := get(t, d, out, again, "region"); got != c.region || again.Status != m.Status || Malformed(again) {
			t.Errorf("%s: %q in % x", c.name, got, out)
		}
		if out, err := mutate(t, p, out, again, remove(t, "region")); err != nil || get(t, d, out, decode(t, d, out), "region") != "-" {
			t.Errorf("%s: not removed: %v", c.name, err)
		}
	}
}

func TestWhichClientsTakeReplyAttachments(t *testing.T) {
	for version, want := range map[string]bool{
		"2.0.2": true, "2.0.1": false, "2.0.10": true, "2.0.99": true, "2.5.3": false, "2.6.0": false, "2.7.23": false,
		"3.2.19": false, "": false, "2.0": false, "x": false, "2.0.2.1": true, "99999999999.0.0": false,
	} {
		if got := takesAttachments([]byte(version)); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestEditingAllocatesNothing(t *testing.T) {
	p, d := New(), decoderOf(codec.FromClient)
	for name, b := range map[string][]byte{
		"hessian2":  sample(t, 128),
		"fastjson2": frame(twoWay|23, 0, 1, jcall("", nil, jstr("User"), jstr("jason"))),
		"objects": frame(twoWay|2, 0, 1, append(hessianBody(t, "2.0.2", "p", "1", "m", "Lorg/example/P;"),
			"C\x01P\x91\x01x\x60\x79\x95H\x01o\x60\x90\x04User\x05jasonZ"...)),
	} {
		m := decode(t, d, b)
		edits := []codec.Edit{set(t, "user", "x"), remove(t, "timeout"), add(t, "more", "stuff")}
		var patch wire.Patch
		if n := testing.AllocsPerRun(200, func() {
			patch.Reset()
			if err := p.Mutate(&patch, b, m, edits); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Workers edit at the same time.
func TestEditingFromManyWorkers(t *testing.T) {
	p, b := New(), sample(t, 128)
	m := decode(t, decoderOf(codec.FromClient), b)
	edits := []codec.Edit{set(t, "user", "x"), remove(t, "timeout")}
	want, err := mutate(t, p, b, m, edits...)
	if err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			var patch wire.Patch
			for range 200 {
				patch.Reset()
				if err := p.Mutate(&patch, b, m, edits); err != nil || !bytes.Equal(patch.AppendTo(nil, b), want) {
					t.Error("an edit came out otherwise", err)
					return
				}
			}
		})
	}
	workers.Wait()
}

func ExampleProtocol_Properties() {
	for _, name := range codec.PropertyNames(New().Properties()) {
		fmt.Println(name)
	}
	// Output:
	// interface
	// version
	// group
	// method
	// parameterTypes
	// argument[*]
	// attachment[*]
}
