package dubbo

import (
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

var (
	_ codec.Protocol    = (*Protocol)(nil)
	_ codec.Renumberer  = (*Protocol)(nil)
	_ codec.Mutator     = (*Protocol)(nil)
	_ codec.Responder   = (*Protocol)(nil)
	_ codec.Heartbeater = (*Protocol)(nil)
	_ codec.GoAwayer    = (*Protocol)(nil)
)

func TestPropertiesOfRequests(t *testing.T) {
	attachments := map[string]any{
		"timeout": "1500", "group": "blue", "interface": "org.example.Api", "userId": "jason", "n": int32(7),
		"face": "😀 é 中", "flag": true, "list": []any{"x"},
	}
	jattachments := []string{
		jstr("timeout"), jstr("1500"), jstr("group"), jstr("blue"), jstr("interface"), jstr("org.example.Api"),
		jstr("userId"), jstr("jason"), jstr("n"), "\x07", jstr("flag"), "\xb1",
		jstr("face"), "\x7a\x0b😀 é 中", jstr("list"), "\x95" + jstr("x"),
	}
	const types = "Ljava/lang/String;IJZLjava/util/Map;[B"
	for name, b := range map[string][]byte{
		"hessian2": frame(twoWay|2, 0, 1<<63|5, call(t, types,
			[]any{"hi", int32(-300000), int64(1) << 40, true, map[any]any{"k": []any{"a"}}, []byte{1, 2, 3}}, attachments)),
		"fastjson2": frame(twoWay|23, 0, 1<<63|5, jcall(types, []string{jstr("hi"), "\x48\xff\xfb\x6c\x20",
			"\xbe\x00\x00\x01\x00\x00\x00\x00\x00", "\xb1", "\xa6" + jstr("k") + "\x95" + jstr("a") + "\xa5", "\x91\x03\x01\x02\x03"}, jattachments...)),
	} {
		d := decoderOf(codec.FromClient)
		m := decode(t, d, b)
		if m.Kind != codec.Request || m.ID != 1<<63|5 || m.Timeout != 1500*time.Millisecond ||
			m.Memo != memoAttachments || m.Pin != codec.Stay || Malformed(m) || m.Unread {
			t.Errorf("%s: %+v", name, m)
		}
		for property, want := range map[string]string{
			"interface": "org.example.Api", "version": "1.0.0", "group": "blue", "method": "greet",
			"parameterTypes": types, "argument[0]": "hi", "argument[1]": "int -300000",
			"argument[2]": "int 1099511627776", "argument[3]": "true", "argument[4]": "-", "argument[5]": "-",
			"argument[6]": "-", "argument[x]": "-", "attachment[userId]": "jason", "userid": "jason",
			"n": "int 7", "face": "😀 é 中", "flag": "true", "list": "-", "nobody": "-",
		} {
			if got := get(t, d, b, m, property); got != want {
				t.Errorf("%s %s: %q, want %q", name, property, got, want)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	request := call(t, "", nil, nil)
	for _, c := range []struct {
		name   string
		side   codec.Side
		b      []byte
		kind   codec.Kind
		status codec.Status
	}{
		{"request", codec.FromClient, frame(twoWay|2, 0, 1, request), codec.Request, 0},
		{"one-way", codec.FromClient, frame(oneWay|2, 0, 1, request), codec.Oneway, 0},
		{"callback", codec.FromServer, frame(twoWay|2, 0, 1, request), codec.Push, 0},
		{"one-way callback", codec.FromServer, frame(oneWay|2, 0, 1, request), codec.Oneway, 0},
		{"answer to a callback", codec.FromClient, frame(2, 20, 1, []byte{0x92}), codec.Reply, codec.OK},
		{"heartbeat", codec.FromServer, frame(events|2, 0, 1, []byte{'N'}), codec.Heartbeat, 0},
		{"heartbeat, fastjson2", codec.FromServer, frame(events|23, 0, 1, []byte("\x00\x00\x00\x01\xaf")), codec.Heartbeat, 0},
		{"heartbeat, kryo", codec.FromClient, frame(events|8, 0, 1, []byte{0}), codec.Heartbeat, 0},
		{"heartbeat reply", codec.FromServer, frame(0x22, 20, 1, []byte("NN")), codec.HeartbeatReply, 0},
		{"read-only", codec.FromServer, frame(0xa2, 0, 1, []byte{1, 'R'}), codec.GoAway, 0},
		{"read-only, fastjson2", codec.FromServer, frame(0xb7, 0, 1, []byte("\x00\x00\x00\x02\x4aR")), codec.GoAway, 0},
		{"writeable", codec.FromServer, frame(0xa2, 0, 1, []byte{1, 'W'}), codec.HeartbeatReply, 0},
		{"value", codec.FromServer, frame(2, 20, 1, []byte{0x91, 1, 'x'}), codec.Reply, codec.OK},
		{"null", codec.FromServer, frame(2, 20, 1, []byte{0x95, 'H', 'Z'}), codec.Reply, codec.OK},
		{"exception", codec.FromServer, frame(2, 20, 1, []byte{0x90, 'N'}), codec.Reply, codec.AppError},
		{"exception, attached", codec.FromServer, frame(2, 20, 1, []byte{0x93, 'N', 'H', 'Z'}), codec.Reply, codec.AppError},
		{"exception, fastjson2", codec.FromServer, frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x00\x00\x00\x00\x01\xaf")), codec.Reply, codec.AppError},
		{"value, kryo", codec.FromServer, frame(8, 20, 1, []byte{9}), codec.Reply, codec.OK},
		{"status", codec.FromServer, frame(2, 70, 1, []byte{1, 'x'}), codec.Reply, codec.ProtocolError},
		{"no type", codec.FromServer, frame(2, 20, 1, []byte{'N'}), codec.Reply, codec.ProtocolError},
		{"no body", codec.FromServer, frame(2, 20, 1, nil), codec.Reply, codec.ProtocolError},
	} {
		if m := decode(t, decoderOf(c.side), c.b); m.Kind != c.kind || m.Status != c.status {
			t.Errorf("%s: %v %d", c.name, m.Kind, m.Status)
		}
	}
}

func TestGenericCallsNameTheirMethod(t *testing.T) {
	const types = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;"
	names := []string{"java.lang.String", "int", "long[]", "[Ljava.lang.String;"}
	values := []any{"2.0.2", "org.example.Service", "1.0.0", "$invoke", types, "greet", names,
		[]any{"hi", int32(3), nil, map[any]any{"a": "b"}, "last"}, map[any]any{"generic": "true"}}
	jvalues := document(jstr("2.0.2")) + document(jstr("org.example.Service")) + document(jstr("1.0.0")) +
		document(jstr("$invokeAsync")) + document("\x79\x38\x38"+types) + document(jstr("greet")) +
		document("\x98"+jstr(names[0])+jstr(names[1])+jstr(names[2])+jstr(names[3])) +
		document("\x92"+jstr("[O")+"\x00\x99"+jstr("hi")+"\x03\xaf\xa6"+jstr("a")+jstr("b")+"\xa5"+jstr("last")) +
		document("\xa6\xa5")
	for name, b := range map[string][]byte{
		"hessian2":  frame(twoWay|2, 0, 1, hessianBody(t, values...)),
		"fastjson2": frame(twoWay|23, 0, 1, []byte(jvalues)),
	} {
		d := decoderOf(codec.FromClient)
		m := decode(t, d, b)
		for property, want := range map[string]string{
			"method": "greet", "parameterTypes": "Ljava/lang/String;I[J[Ljava/lang/String;",
			"argument[0]": "hi", "argument[1]": "int 3", "argument[2]": "-", "argument[3]": "-",
			"argument[4]": "last", "argument[5]": "-", "interface": "org.example.Service", "group": "-",
		} {
			if got := get(t, d, b, m, property); got != want {
				t.Errorf("%s %s: %q, want %q", name, property, got, want)
			}
		}
	}
}

func TestTheClientsDeadline(t *testing.T) {
	for _, c := range []struct {
		attachments map[string]any
		want        time.Duration
	}{
		{map[string]any{"timeout": "250"}, 250 * time.Millisecond},
		{map[string]any{"timeout": int64(250)}, 250 * time.Millisecond},
		{map[string]any{"timeout": "3000", "_TO": int32(40)}, 40 * time.Millisecond},
		{map[string]any{"_to": "40"}, 40 * time.Millisecond},
		{map[string]any{"timeout": "0"}, 0},
		{map[string]any{"timeout": "-1"}, 0},
		{map[string]any{"timeout": int32(-1)}, 0},
		{map[string]any{"timeout": "soon"}, 0},
		{map[string]any{"timeout": "999999999999999999"}, 365 * 24 * time.Hour},
		{map[string]any{"timeout": true}, 0},
		{nil, 0},
	} {
		m := decode(t, decoderOf(codec.FromClient), frame(twoWay|2, 0, 1, call(t, "", nil, c.attachments)))
		if m.Timeout != c.want || Malformed(m) {
			t.Errorf("%v: %v", c.attachments, m.Timeout)
		}
	}
}

func TestCallbackArgumentsPin(t *testing.T) {
	b := frame(twoWay|2, 0, 1, call(t, "Lorg/example/Listener;", []any{nil}, map[string]any{"sys_callback_arg-0": "4711"}))
	if m := decode(t, decoderOf(codec.FromClient), b); m.Pin != codec.Begin {
		t.Error("a call with a callback is not pinned")
	}
}

func TestOtherSerializationsPassUnread(t *testing.T) {
	b := frame(twoWay|8, 0, 9, []byte("\x05anything at all"))
	d := decoderOf(codec.FromClient)
	m := decode(t, d, b)
	if m.Head != headerLen || m.Variant != 8 || Readable(m.Variant) || m.Kind != codec.Request || !m.Unread {
		t.Errorf("%+v", m)
	}
	if got := get(t, d, b, m, "method"); got != "-" {
		t.Error(got)
	}
}

func TestSplitsAskForWhatTheyNeed(t *testing.T) {
	b := frame(twoWay|2, 0, 3, call(t, "Ljava/lang/String;", []any{"hello"}, map[string]any{"timeout": "5"}))
	d := decoderOf(codec.FromClient)
	want := everything(t)
	for at := 1; at < len(b); at++ {
		m := new(codec.Message)
		if err := d.Next(b[:at], want, nil, m); !isMore(err) {
			t.Fatalf("%d bytes: %v", at, err)
		}
		if at < headerLen && m.Need != headerLen || at >= headerLen && (m.Need != len(b) || m.Scan != headerLen) {
			t.Fatalf("%d bytes: need %d, scan %d", at, m.Need, m.Scan)
		}
		rest := append([]byte(nil), b...)
		clear(rest[:m.Scan]) // not looked at again
		if err := d.Next(rest, want, nil, m); err != nil || m.Timeout != 5*time.Millisecond || m.ID != 3 || m.Need != 0 {
			t.Fatalf("%d bytes: %v, %+v", at, err, m)
		}
	}
}

// What a body says is known however its bytes arrive, without a second look at
// the header.
func TestSplitsChangeNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"read-only": frame(0xa2, 0, 1, []byte{1, 'R'}),
		"heartbeat": frame(events|2, 0, 1, []byte{'N'}),
		"answer":    frame(0x22, 20, 1, []byte{1, 'R'}),
		"reply":     frame(2, 20, 1, []byte{0x90, 'N'}),
		"error":     frame(2, 70, 1, []byte{1, 'x'}),
		"fastjson2": frame(23, 20, 1, []byte("\x00\x00\x00\x02\xbd\x02")),
		"callback":  frame(twoWay|2, 0, 1, call(t, "", nil, nil)),
	} {
		whole := decode(t, decoderOf(codec.FromServer), b)
		for at := 1; at < len(b); at++ {
			d, m := decoderOf(codec.FromServer), new(codec.Message)
			if err := d.Next(b[:at], everything(t), nil, m); err == nil {
				break
			}
			rest := append([]byte(nil), b...)
			clear(rest[:m.Scan])
			if err := d.Next(rest, everything(t), nil, m); err != nil || *m != *whole {
				t.Errorf("%s, split at %d: %v, %+v instead of %+v", name, at, err, m, whole)
			}
		}
	}
}

func TestRepliesAreReadNoFurtherThanWanted(t *testing.T) {
	body := hessianBody(t, int32(4), "a value", map[any]any{"region": "west"})
	b := frame(2, 20, 1, append(body, 'N')) // dubbo-go ends replies with a null
	d := decoderOf(codec.FromServer)
	m := new(codec.Message)
	if err := d.Next(b[:17], nil, nil, m); err != nil || m.Head != 17 || m.Status != codec.OK || m.Memo != memoAttachments {
		t.Fatalf("%v %+v", err, m)
	}
	m = decode(t, d, b)
	if got := get(t, d, b, m, "attachment[region]"); got != "west" || m.Head != len(b) {
		t.Errorf("%q, head %d", got, m.Head)
	}
	m = new(codec.Message)
	asked := uint64(0)
	plain := frame(2, 20, 77, []byte{0x91, 1, 'x'})
	if err := d.Next(plain, nil, func(id uint64) uint64 { asked = id; return 1 }, m); err != nil || asked != 77 || m.Memo != 1 {
		t.Errorf("%v, asked for %d, memo %d", err, asked, m.Memo)
	}
}

func TestSniff(t *testing.T) {
	for prefix, want := range map[string]codec.Verdict{
		"\xda": codec.More, "\xda\xbb": codec.More, "\xda\xbb\xc2": codec.Yes, "\xda\xbb\x02": codec.No,
		"\xdb": codec.No, "\xda\xba": codec.No, "GET": codec.No,
	} {
		if got := New().Sniff([]byte(prefix)); got != want {
			t.Errorf("% x: %d", prefix, got)
		}
	}
}

func TestIDs(t *testing.T) {
	p := New()
	b := frame(twoWay|2, 0, 1, call(t, "", nil, nil))
	d := p.Decoder(codec.FromClient, codec.DefaultLimits())
	m := decode(t, d, b)
	p.PutID(b, m, 1<<63|77)
	if m = decode(t, d, b); m.ID != 1<<63|77 || !p.CanPutID(m) || p.Bits() != 64 {
		t.Error(m.ID)
	}
}

func TestLastOfSeveralAttachmentsCounts(t *testing.T) {
	body := append(hessianBody(t, "2.0.2", "p", nil, "m", ""), "H\x01k\x01a\x01K\x01b\x01k\x01cZ"...)
	b := frame(twoWay|2, 0, 1, body)
	d := decoderOf(codec.FromClient)
	m := decode(t, d, b)
	if got := get(t, d, b, m, "attachment[k]") + get(t, d, b, m, "attachment[K]") + get(t, d, b, m, "version"); got != "cb-" {
		t.Error(got)
	}
}
