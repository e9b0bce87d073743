package frame

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func wires() []Wire { return []Wire{Thrift{}, newDubbo()} }

// The bytes are written out by hand after the specifications; a builder and a
// reader that agree on an error would pass a round trip.
func TestRequestBytes(t *testing.T) {
	tests := []struct {
		wire Wire
		want string
	}{
		{Thrift{}, "0000001e" + "80010001" + "00000008" + "73617948656c6c6f" + "01020304" + "0b0001" + "00000002" + "6869" + "00"},
		{newDubbo(), "dabbc200" + "0000000001020304" + "000000c7" +
			"05" + "322e302e32" +
			"1c" + hex.EncodeToString([]byte("org.aeraki.bench.EchoService")) +
			"05" + "312e302e30" +
			"08" + "73617948656c6c6f" +
			"12" + hex.EncodeToString([]byte("Ljava/lang/String;")) +
			"02" + "6869" +
			"48" +
			"04" + hex.EncodeToString([]byte("path")) + "1c" + hex.EncodeToString([]byte("org.aeraki.bench.EchoService")) +
			"12" + hex.EncodeToString([]byte("remote.application")) + "05" + hex.EncodeToString([]byte("bench")) +
			"09" + hex.EncodeToString([]byte("interface")) + "1c" + hex.EncodeToString([]byte("org.aeraki.bench.EchoService")) +
			"07" + hex.EncodeToString([]byte("version")) + "05" + "312e302e30" +
			"07" + hex.EncodeToString([]byte("timeout")) + "04" + "33303030" + "5a"},
	}
	for _, tt := range tests {
		got := hex.EncodeToString(tt.wire.AppendRequest(nil, 0x01020304, []byte("hi")))
		if got != tt.want {
			t.Errorf("%s request\n got %s\nwant %s", tt.wire.Name(), got, tt.want)
		}
	}
}

func TestReplyBytes(t *testing.T) {
	tests := []struct {
		wire Wire
		want string
	}{
		{Thrift{}, "0000001e" + "80010002" + "00000008" + "73617948656c6c6f" + "00000007" + "0b0000" + "00000002" + "6869" + "00"},
		{newDubbo(), "dabb0214" + "0000000000000007" + "00000012" + "94" + "026869" + "48" + "05" + "647562626f" + "05" + "322e302e32" + "5a"},
	}
	for _, tt := range tests {
		got, err := tt.wire.AppendAnswer(nil, tt.wire.AppendRequest(nil, 7, []byte("hi")))
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%s answer, error %v\n got %x\nwant %s", tt.wire.Name(), err, got, tt.want)
		}
	}
}

func TestEchoReturnsIDAndPayloadOfEverySize(t *testing.T) {
	for _, w := range wires() {
		for _, n := range []int{0, 1, 31, 32, 128, 1023, 1024, 4096, 32767} {
			payload := []byte(strings.Repeat("x", n))
			req := w.AppendRequest([]byte("before"), 42, payload)[len("before"):]
			if size, err := w.Size(req); err != nil || size != len(req) {
				t.Fatalf("%s, %d bytes: size %d, error %v, want %d", w.Name(), n, size, err, len(req))
			}
			reply, err := w.AppendAnswer(nil, req)
			if err != nil {
				t.Fatalf("%s, %d bytes: answer: %v", w.Name(), n, err)
			}
			if size, err := w.Size(reply); err != nil || size != len(reply) || !w.IsReply(reply) {
				t.Fatalf("%s, %d bytes: reply of size %d, error %v, want %d", w.Name(), n, size, err, len(reply))
			}
			id, got, err := w.Reply(reply)
			if err != nil || id != 42 || !bytes.Equal(got, payload) {
				t.Errorf("%s, %d bytes: id %d, %d bytes, error %v", w.Name(), n, id, len(got), err)
			}
		}
	}
}

func TestSizeWaitsForTheHeaderAndRefusesGiants(t *testing.T) {
	for _, w := range wires() {
		req := w.AppendRequest(nil, 1, []byte("hi"))
		header := map[string]int{"thrift": 4, "dubbo": 16}[w.Name()]
		for i := range header {
			if n, err := w.Size(req[:i]); n != 0 || err != nil {
				t.Errorf("%s: size of %d header bytes is %d, error %v", w.Name(), i, n, err)
			}
		}
		giant := bytes.Clone(req)
		copy(giant[header-4:], "\xff\xff\xff\xff")
		if _, err := w.Size(giant); err == nil {
			t.Errorf("%s: a length of 4 GiB was accepted", w.Name())
		}
	}
}

// A proxy's local replies (no route, no healthy upstream) must never count as
// verified, nor may a damaged message crash the generator.
func TestReplyRefusesEverythingButSuccess(t *testing.T) {
	for _, w := range wires() {
		req := w.AppendRequest(nil, 7, []byte("hello"))
		reply, err := w.AppendAnswer(nil, req)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(reply) {
			if _, _, err := w.Reply(reply[:i]); err == nil {
				t.Errorf("%s: a reply cut to %d of %d bytes was accepted", w.Name(), i, len(reply))
			}
		}
		for i := range len(req) - 1 {
			if i < 16 && w.Name() == "dubbo" {
				continue // Size waits for the header before AppendAnswer is called
			}
			if _, err := w.AppendAnswer(nil, req[:i]); err == nil {
				t.Errorf("%s: a request cut to %d of %d bytes was answered", w.Name(), i, len(req))
			}
		}
	}
	exception := "0000001e" + "80010003" + "00000008" + "73617948656c6c6f" + "00000007" + "0b0001" + "00000002" + "6e6f" + "00"
	b, _ := hex.DecodeString(exception)
	if _, _, err := (Thrift{}).Reply(b); err == nil {
		t.Error("a TApplicationException was accepted")
	}
	d := newDubbo()
	reply, _ := d.AppendAnswer(nil, d.AppendRequest(nil, 7, []byte("hello")))
	reply[3] = 70
	if _, _, err := d.Reply(reply); err == nil {
		t.Error("Dubbo status 70 was accepted")
	}
}

func TestDubboHeartbeats(t *testing.T) {
	d := newDubbo()
	beat, _ := hex.DecodeString("dabbe200" + "0000000000000009" + "00000001" + "4e")
	got, err := d.AppendAnswer(nil, beat)
	if want := "dabb2214" + "0000000000000009" + "00000001" + "4e"; err != nil || hex.EncodeToString(got) != want {
		t.Fatalf("answer %x, error %v, want %s", got, err, want)
	}
	if d.IsReply(beat) || d.IsReply(got) {
		t.Error("a heartbeat passes for a reply")
	}
	if again, err := d.AppendAnswer(nil, got); err != nil || len(again) != 0 {
		t.Errorf("a heartbeat's answer was answered: %x, error %v", again, err)
	}
}

func TestNothingIsAllocatedPerMessage(t *testing.T) {
	for _, w := range wires() {
		payload, a, b := make([]byte, 128), make([]byte, 0, 4096), make([]byte, 0, 4096)
		n := testing.AllocsPerRun(100, func() {
			a = w.AppendRequest(a[:0], 5, payload)
			b, _ = w.AppendAnswer(b[:0], a)
			_, _, _ = w.Reply(b)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", w.Name(), n)
		}
	}
}
