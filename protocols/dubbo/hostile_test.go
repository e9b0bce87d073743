package dubbo

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

func TestHeadersThatAreRefused(t *testing.T) {
	limits := codec.Limits{Message: 100, Properties: 4, Depth: 8}
	d := New().Decoder(codec.FromClient, limits)
	for name, b := range map[string][]byte{
		"magic 1": []byte{0xdb}, "magic 2": []byte{0xda, 0xba},
		"over the limit": append(frame(twoWay|2, 0, 1, nil)[:12], 0, 0, 0, 85),
		"2 GiB":          append(frame(twoWay|2, 0, 1, nil)[:12], 0x7f, 0xff, 0xff, 0xff),
		"negative":       append(frame(twoWay|2, 0, 1, nil)[:12], 0xff, 0xff, 0xff, 0xff),
	} {
		if err := d.Next(b, nil, nil, new(codec.Message)); err == nil || isMore(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Next(append(frame(twoWay|2, 0, 1, nil)[:12], 0, 0, 0, 84), nil, nil, new(codec.Message)); !isMore(err) {
		t.Errorf("a message of just the limit: %v", err)
	}
	huge := New().Decoder(codec.FromClient, codec.Limits{Message: math.MaxInt64, Properties: 4, Depth: 8})
	if err := huge.Next(append(frame(twoWay|2, 0, 1, nil)[:12], 0xff, 0, 0, 0), nil, nil, new(codec.Message)); err == nil || isMore(err) {
		t.Errorf("a negative length under no limit: %v", err)
	}
}

// bodies that cannot be read to their end: what stands before the fault is
// there, the message passes.
func TestMalformedBodiesPassMarked(t *testing.T) {
	head := string(hessianBody(t, "2.0.2", "org.example.Service", "1", "greet"))
	nested := func(open, shut string, depth int) string {
		return strings.Repeat(open, depth) + "N" + strings.Repeat(shut, depth) + "HZ"
	}
	one := head + string(hessianBody(t, "Ljava/lang/Object;"))
	jone := string(bytes.TrimSuffix(jcall("Ljava/lang/Object;", nil), []byte("\x00\x00\x00\x02\xa6\xa5")))
	for name, c := range map[string]struct {
		variant byte
		body    string
	}{
		"no attachments":        {2, one + "N"},
		"cut in a string":       {2, one + "\x05ab"},
		"cut in a wide string":  {2, one + "\x02a\xe4\xb8"},
		"bad UTF-8":             {2, one + "\x01\xffHZ"},
		"half a pair":           {2, one + "\x01\xf0\x9f\x98\x80HZ"},
		"list of 2 Gi":          {2, one + "\x58I\x7f\xff\xff\xffN"},
		"list of -1":            {2, one + "\x58I\xff\xff\xff\xffNHZ"},
		"class of 2 Gi fields":  {2, one + "C\x01xI\x7f\xff\xff\xff"},
		"object of no class":    {2, one + "\x60HZ"},
		"object of class -1":    {2, one + "OI\xff\xff\xff\xffHZ"},
		"reference of a string": {2, one + "\x51\x01xHZ"},
		"too deep a list":       {2, one + nested("\x79", "", 65)},
		"too deep a map":        {2, one + nested("H\x01a", "Z", 65)},
		"bare end":              {2, one + "ZHZ"},
		"map with no value":     {2, one + "H\x01aZHZ"},
		"unknown tag":           {2, one + "GHZ"},
		"attachments a list":    {2, one + "N\x78"},
		"types":                 {2, head + "\x02Lx"},
		"types of nothing":      {2, head + "\x01["},
		"too many attachments":  {2, one + "NH" + strings.Repeat("\x01a\x01b", 1025) + "Z"},
		"document too long":     {23, jone + "\x00\x00\x01\x00\xaf"},
		"document of -1":        {23, jone + "\xff\xff\xff\xff\xaf"},
		"document of 0":         {23, jone + "\x00\x00\x00\x00" + document("\xa6\xa5")},
		"two values":            {23, jone + document("\xaf") + document("\xa6\xa5\xa5")},
		"array of 2 Gi":         {23, jone + document("\xaf") + document("\xa6"+jstr("a")+"\xa4\x48\x7f\xff\xff\xff\xa5")},
		"array of -1":           {23, jone + document("\xaf") + document("\xa6"+jstr("a")+"\xa4\xff\xa5")},
		"text of 2 Gi":          {23, jone + document("\xaf") + document("\xa6"+jstr("a")+"\x7a\x48\x7f\xff\xff\xff\xa5")},
		"too deep an array":     {23, jone + document("\xaf") + document("\xa6"+jstr("a")+strings.Repeat("\x95", 65)+"\xaf\xa5")},
		"attachments an array":  {23, jone + document("\xaf") + document("\x94")},
	} {
		b := frame(twoWay|c.variant, 0, 1, []byte(c.body))
		d := decoderOf(codec.FromClient)
		m := decode(t, d, b)
		if !Malformed(m) || !m.Unread || m.Kind != codec.Request {
			t.Errorf("%s: not marked: %+v", name, m)
		}
		if got := get(t, d, b, m, "method") + get(t, d, b, m, "attachment[a]"); got != "greet-" {
			t.Errorf("%s: %q", name, got)
		}
		if _, err := mutate(t, New(), b, m, set(t, "a", "b")); err == nil {
			t.Errorf("%s: was edited", name)
		}
	}
}

func TestDepthIsInclusive(t *testing.T) {
	body := string(hessianBody(t, "2.0.2", "p", "1", "m", "Ljava/lang/Object;")) + strings.Repeat("\x79", 64) + "NHZ"
	if m := decode(t, decoderOf(codec.FromClient), frame(twoWay|2, 0, 1, []byte(body))); Malformed(m) {
		t.Error("a depth of the limit is refused")
	}
}

// Whatever a body holds, the time it takes is in proportion to its bytes. The
// bombs are as long as a harmless body and must not take a hundred times as
// long; the bound is wide because machines are.
func TestBombsCostWhatTheirBytesCost(t *testing.T) {
	const size = 1 << 20
	prefix := string(hessianBody(t, "2.0.2", "p", "1", "m", "Ljava/lang/Object;"))
	cost := func(body string) time.Duration {
		b := frame(twoWay|2, 0, 1, []byte(body))
		d, best := decoderOf(codec.FromClient), time.Hour
		for range 3 {
			from := time.Now()
			m := decode(t, d, b)
			d.Get(b, m, ref(t, "attachment[a]"))
			best = min(best, time.Since(from))
		}
		return best
	}
	harmless := cost(prefix + "\x58I\x00\x10\x00\x00" + strings.Repeat("\x90", size) + "HZ")
	for name, body := range map[string]string{
		"empty lists":       "\x57" + strings.Repeat("\x78", size) + "ZHZ",
		"empty open lists":  "\x57" + strings.Repeat("\x57Z", size/2) + "ZHZ",
		"classes":           strings.Repeat("C\x00\x90", size/3) + "NHZ",
		"fieldless objects": "C\x00\x90\x57" + strings.Repeat("\x60", size) + "ZHZ",
		"references":        "\x57" + strings.Repeat("\x51\x90", size/2) + "ZHZ",
		"deep":              "\x57" + strings.Repeat(strings.Repeat("\x79", 62)+"N", size/63) + "ZHZ",
		"empty pieces":      strings.Repeat("R\x00\x00", size/3) + "\x00HZ",
		"Chinese":           strings.Repeat("R\x00\x01中", size/6) + "\x00HZ",
		"parameter types":   "",
	} {
		whole := prefix + body
		if name == "parameter types" {
			types := strings.Repeat("I", size/2)
			pieces := ""
			for len(types) > 60000 {
				pieces, types = pieces+"R\xea\x60"+types[:60000], types[60000:]
			}
			whole = string(hessianBody(t, "2.0.2", "p", "1", "m")) + pieces + "\x00" + strings.Repeat("\x90", size/2) + "HZ"
		}
		if took := cost(whole); took > 100*harmless+50*time.Millisecond {
			t.Errorf("%s: %v, harmless %v", name, took, harmless)
		}
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	withObjects := append(hessianBody(t, "2.0.2", "p", "1", "m", "Lorg/example/P;"),
		"C\x01P\x91\x01x\x60\x79\x95H\x01u\x05jasonZ"...)
	for name, b := range map[string][]byte{
		"hessian2":  sample(t, 128),
		"objects":   frame(twoWay|2, 0, 1, withObjects),
		"fastjson2": frame(twoWay|23, 0, 1, jcall("Ljava/lang/String;", []string{jstr("x")}, jstr("u"), "\x79\x01\xe9", jstr("v"), "\x95\x95\xaf")),
	} {
		d, want := decoderOf(codec.FromClient), everything(t)
		refs := []codec.Ref{ref(t, "method"), ref(t, "u"), ref(t, "argument[0]"), ref(t, "parameterTypes")}
		var m codec.Message
		if n := testing.AllocsPerRun(200, func() {
			m = codec.Message{}
			if err := d.Next(b, want, nil, &m); err != nil {
				t.Fatal(err)
			}
			for _, r := range refs {
				d.Get(b, &m, r)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestLargeMessagesLeaveNothingBehind(t *testing.T) {
	body := string(hessianBody(t, "2.0.2", "p", "1", "m", "Ljava/lang/Object;")) + strings.Repeat("C\x00\x90", 5000) + "NHZ"
	d := decoderOf(codec.FromClient).(*decoder)
	decode(t, d, frame(twoWay|2, 0, 1, []byte(body)))
	if d.cur.b != nil || cap(d.cur.defs) > 1024 {
		t.Errorf("%d definitions are kept", cap(d.cur.defs))
	}
	b := frame(twoWay|23, 0, 1, jcall("", nil, jstr("u"), "\x79\x38\xc8"+strings.Repeat("\xe9", 200)))
	for range 1000 {
		m := decode(t, d, b)
		if got := get(t, d, b, m, "u"); got != strings.Repeat("é", 200) {
			t.Fatal(got)
		}
	}
	if cap(d.text) > 4096 {
		t.Errorf("%d bytes of converted text are kept", cap(d.text))
	}
}

// FuzzDecoder reads arbitrary bytes from both sides, asks for everything, and
// edits what it may.
func FuzzDecoder(f *testing.F) {
	f.Add(sample(f, 40), true)
	f.Add(frame(twoWay|23, 0, 1, jcall("Ljava/lang/String;", []string{jstr("x")}, jstr("u"), "\x79\x01\xe9")), true)
	f.Add(frame(2, 20, 1, []byte("\x94\x01xH\x01a\x01bZN")), false)
	f.Add(frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x01"+document(jstr("a value")))), false)
	f.Add(frame(events|2, 0, 1, []byte{'N'}), false)
	p, want := New(), everything(f)
	var refs []codec.Ref
	for _, name := range []string{"interface", "version", "group", "method", "parameterTypes", "argument[0]", "argument[1]", "attachment[u]"} {
		refs = append(refs, ref(f, name))
	}
	edits := []codec.Edit{set(f, "u", "new"), remove(f, "a"), add(f, "b", "é")}
	f.Fuzz(func(t *testing.T, b []byte, client bool) {
		if len(b) == 0 {
			return
		}
		side := codec.FromServer
		if client {
			side = codec.FromClient
		}
		d := p.Decoder(side, codec.DefaultLimits())
		var m codec.Message
		if d.Next(b, want, func(uint64) uint64 { return 1 }, &m) != nil {
			return
		}
		if m.Head > len(b) || int64(m.Head) > m.Size || m.Head < headerLen {
			t.Fatalf("head %d, size %d of %d bytes", m.Head, m.Size, len(b))
		}
		for _, r := range refs {
			d.Get(b[:m.Head], &m, r)
		}
		if m.Kind == codec.Heartbeat {
			p.AppendHeartbeatReply(nil, b[:m.Head], &m)
		}
		if m.Size > int64(len(b)) {
			return
		}
		var patch wire.Patch
		if p.Mutate(&patch, b[:m.Size], &m, edits) != nil {
			return
		}
		out := patch.AppendTo(nil, b[:m.Size])
		var again codec.Message
		if err := d.Next(out, want, nil, &again); err != nil || again.Size != int64(len(out)) || Malformed(&again) {
			t.Fatalf("%v: edited to % x", err, out)
		}
		if v, ok := d.Get(out, &again, refs[7]); !ok || string(v.Bytes) != "new" {
			t.Fatalf("%q after the edit % x", v.Bytes, out)
		}
	})
}
