package dubbo

import (
	"strings"
	"testing"

	hessian "github.com/apache/dubbo-go-hessian2"
	"github.com/apache/dubbo-go-hessian2/java_exception"

	"github.com/aeraki-mesh/aeraki/codec"
)

var causes = []codec.Cause{codec.NoRoute, codec.NoCluster, codec.NoUpstream, codec.ConnectFail, codec.Reset,
	codec.TimedOut, codec.Overflow, codec.Limited, codec.Denied, codec.Fault, codec.Unsupported, codec.BadReply}

// Every cause must reach the client as a reply to its request, with the text.
func TestLocalReplies(t *testing.T) {
	p, d := New(), decoderOf(codec.FromServer)
	for _, cause := range causes {
		for _, variant := range []uint8{2, 23, 8} {
			text := "no route matched org.example.Service"
			b := p.AppendReply([]byte("before"), &codec.Origin{ID: 1<<63 | 9, Variant: variant}, codec.LocalReply{Cause: cause, Text: text})
			if string(b[:6]) != "before" {
				t.Fatal("dst was not appended to")
			}
			b = b[6:]
			m := decode(t, d, b)
			status := codec.ProtocolError
			if (cause == codec.Denied || cause == codec.Limited) && variant != 8 {
				status = codec.AppError
			}
			if m.Kind != codec.Reply || m.ID != 1<<63|9 || m.Status != status || Malformed(m) || !strings.Contains(string(b), text) {
				t.Errorf("cause %d, serialization %d: %+v", cause, variant, m)
			}
			if variant == 8 && m.Variant != 2 || variant != 8 && m.Variant != variant {
				t.Errorf("cause %d, serialization %d is answered in %d", cause, variant, m.Variant)
			}
		}
	}
}

func TestStatusOfLocalReplies(t *testing.T) {
	for cause, want := range map[codec.Cause]byte{
		codec.NoRoute: 60, codec.NoCluster: 80, codec.NoUpstream: 80, codec.ConnectFail: 80, codec.Reset: 80,
		codec.TimedOut: 31, codec.Overflow: 100, codec.Limited: 20, codec.Denied: 20, codec.Fault: 70,
		codec.Unsupported: 40, codec.BadReply: 50,
	} {
		b := New().AppendReply(nil, &codec.Origin{Variant: 2}, codec.LocalReply{Cause: cause, Text: "x"})
		if b[statusOffset] != want {
			t.Errorf("cause %d: status %d, want %d", cause, b[statusOffset], want)
		}
	}
}

// dubbo-go takes the text of an error status as a string, and an exception as
// an object.
func TestLocalRepliesAsDubboGoReadsThem(t *testing.T) {
	for _, cause := range causes {
		b := New().AppendReply(nil, &codec.Origin{Variant: 2}, codec.LocalReply{Cause: cause, Text: "the reason"})
		dec := hessian.NewDecoder(b[headerLen:])
		v, err := dec.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if b[statusOffset] == statusOK {
			if v != int32(0) {
				t.Errorf("type %v", v)
			}
			if v, err = dec.Decode(); err != nil {
				t.Fatalf("cause %d: %v", cause, err)
			}
			if e, ok := v.(java_exception.Throwabler); ok {
				v = e.Error()
			}
		}
		if text, ok := v.(string); ok && !strings.Contains(text, "the reason") {
			t.Errorf("cause %d: %v", cause, v)
		}
		t.Logf("cause %d: %T %v", cause, v, v)
	}
}

func TestHeartbeats(t *testing.T) {
	p := New()
	server, client := decoderOf(codec.FromServer), decoderOf(codec.FromClient)
	ours := p.AppendHeartbeat(nil, 7)
	if m := decode(t, client, ours); m.Kind != codec.Heartbeat || m.ID != 7 {
		t.Errorf("%+v", m)
	}
	for name, b := range map[string][]byte{
		"hessian2":  ours,
		"fastjson2": frame(events|23, 0, 7, []byte("\x00\x00\x00\x01\xaf")),
		"kryo":      frame(events|8, 0, 7, []byte{0}),
		"long":      frame(events|8, 0, 7, make([]byte, 100)),
	} {
		request := decode(t, client, b)
		answer := p.AppendHeartbeatReply([]byte("x"), b, request)[1:]
		m := decode(t, server, answer)
		if m.Kind != codec.HeartbeatReply || m.ID != 7 || answer[statusOffset] != statusOK {
			t.Errorf("%s: %+v", name, m)
		}
		if name != "long" && (string(answer[headerLen:]) != string(b[headerLen:]) || m.Variant != request.Variant) {
			t.Errorf("%s: % x", name, answer)
		}
	}
	if m := decode(t, server, p.AppendGoAway(nil)); m.Kind != codec.GoAway {
		t.Errorf("%+v", m)
	}
}
