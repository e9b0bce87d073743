package drivertest

import (
	"bytes"
	"math/rand/v2"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// streamCases are about bytes: all, once, in order, and not too many at once.
var streamCases = []testCase{
	{"accepted connections carry bytes", acceptAndEcho},
	{"a full socket takes a part and tells when it takes more", partialWrites},
	{"a paused connection holds its peer back and loses nothing", backPressure},
	{"bytes not consumed are shown again with those that follow", keepsTheRest},
	{"reading on again shows kept bytes without new ones", showsKeptAgain},
	{"kept bytes survive the peer's end of stream", keptAfterHalf},
	{"bulk in both directions through a pair of connections", bulkBothWays},
	{"many connections at once", manyConnections},
}

func acceptAndEcho(k *kit) {
	k.s.onReadable = func(c engine.ConnID, b []byte) int { return k.s.d.Write(c, [][]byte{nil, b[:1], b[1:], {}}) }
	p, c, got := k.dialSink()
	if in := k.s.info[c]; in.Listener != Listener || in.Identity != "" {
		k.t.Errorf("opened with %+v", in)
	}
	p.Write([]byte("hello"))
	k.wait("the echo", func() bool { return string(got.got) == "hello" })
	p.Write([]byte(" world"))
	k.wait("the second echo", func() bool { return string(got.got) == "hello world" })
}

// cuts returns lengths up to most, drawn from a fixed seed.
func cuts(most int) func() int {
	r := rand.New(rand.NewPCG(7, uint64(most)))
	return func() int { return 1 + r.IntN(most) }
}

func partialWrites(k *kit) {
	const size = 8 << 20
	var v verifier
	p, c := k.dial(PeerOptions{Buffer: 32 << 10, OnData: func(_ Peer, b []byte) { v.take(b) }})
	p.SetReading(false)
	w := &pump{s: k.s, c: c, size: size, cuts: cuts(50_000)}
	k.s.onWritable = func(engine.ConnID) { w.run() }
	k.Do(w.run)
	takesAll := w.at == size // and buffers: as inside Envoy
	k.Pass(20 * time.Millisecond)
	if v.at == size {
		k.t.Fatalf("%d bytes taken, %d received by a peer that does not read", w.at, v.at)
	}
	p.SetReading(true)
	k.wait("all bytes", func() bool { return v.at == size || v.wrong })
	if v.wrong {
		k.t.Fatalf("wrong bytes before %d", v.at)
	}
	if k.s.writable == 0 && !takesAll {
		k.t.Error("Writable was never called")
	}
}

func backPressure(k *kit) {
	const size = 64 << 20
	var v verifier
	k.s.onReadable = func(c engine.ConnID, b []byte) int { v.take(b); return len(b) }
	k.s.onOpened = func(c engine.ConnID, _ engine.ConnInfo) { k.s.d.SetReading(c, false) }
	p, c := k.dial(PeerOptions{})
	sendPattern(p, size)
	last := -1
	for last <= 0 || p.Sent() > last { // until the peer is stuck
		last = p.Sent()
		k.Pass(50 * time.Millisecond)
	}
	if v.at != 0 || last > size/2 {
		k.t.Fatalf("paused: %d bytes shown, %d taken from the peer", v.at, last)
	}
	quiet(k)
	k.Do(func() { k.s.d.SetReading(c, true) })
	k.wait("all bytes", func() bool { return v.at == size || v.wrong })
	if v.wrong {
		k.t.Fatalf("wrong bytes before %d", v.at)
	}
}

// quiet fails the test if the driver spins though nothing happens.
func quiet(k *kit) {
	k.t.Helper()
	k.Pass(20 * time.Millisecond) // what is under way
	before := k.s.iterations
	k.Pass(100 * time.Millisecond)
	if n := k.s.iterations - before; n > 5 {
		k.t.Errorf("%d iterations though nothing happened", n)
	}
}

func keepsTheRest(k *kit) {
	const size = 3 << 20
	cut := cuts(2000)
	at := 0 // consumed
	shown := 0
	k.s.onReadable = func(c engine.ConnID, b []byte) int {
		v := verifier{at: at}
		if v.take(b); v.wrong {
			k.t.Fatalf("wrong bytes after %d consumed", at)
		}
		if at+len(b) < shown {
			k.t.Errorf("%d bytes shown before, now %d", shown, at+len(b))
		}
		shown = at + len(b)
		if at < 300_000 && shown < 300_000 {
			return 0 // one long frame
		}
		n := min(len(b), len(b)/1000*1000+cut()) // whole small ones
		if shown == size {
			n = len(b)
		}
		at += n
		return n
	}
	p, _ := k.dial(PeerOptions{})
	sendPattern(p, size)
	k.wait("all bytes", func() bool { return at == size })
}

func showsKeptAgain(k *kit) {
	var shown [][]byte
	take := 0
	k.s.onReadable = func(c engine.ConnID, b []byte) int {
		if len(shown) == 0 && len(b) < 5 {
			return 0 // in pieces
		}
		shown = append(shown, bytes.Clone(b))
		k.s.d.SetReading(c, false)
		return take
	}
	p, c := k.dial(PeerOptions{})
	p.Write([]byte("hello"))
	k.wait("bytes", func() bool { return len(shown) == 1 })
	quiet(k)
	take = 2
	k.Do(func() { k.s.d.SetReading(c, true) })
	k.wait("the same bytes", func() bool { return len(shown) == 2 })
	take = 3
	k.Do(func() { k.s.d.SetReading(c, true) })
	k.wait("the rest", func() bool { return len(shown) == 3 })
	k.Do(func() { k.s.d.SetReading(c, true) })
	quiet(k)
	if got := bytes.Join(shown, []byte("|")); string(got) != "hello|hello|llo" {
		k.t.Errorf("shown: %s", got)
	}
}

func keptAfterHalf(k *kit) {
	var shown []byte
	take := 0
	k.s.onReadable = func(c engine.ConnID, b []byte) int {
		shown = bytes.Clone(b)
		return take
	}
	p, c, got := k.dialSink()
	p.Write([]byte("abc"))
	p.CloseWrite()
	k.wait("half-close", func() bool { return k.s.life[c] == half })
	if string(shown) != "abc" {
		k.t.Errorf("shown before the end: %q", shown)
	}
	shown, take = nil, 3
	k.Do(func() { k.s.d.SetReading(c, true) })
	k.wait("kept bytes", func() bool { return string(shown) == "abc" })
	k.Do(func() {
		k.s.d.Write(c, [][]byte{[]byte("reply")})
		k.s.d.Close(c, engine.Clean)
	})
	k.wait("the end", ended(p, engine.Half))
	if string(got.got) != "reply" {
		k.t.Errorf("the half-closed peer got %q", got.got)
	}
}

// bridge forwards between two connections as a proxy does: it consumes what
// the other side takes, and reads no more until that has room.
type bridge struct {
	k     *kit
	other map[engine.ConnID]engine.ConnID
	cut   func() int
}

func (b *bridge) readable(c engine.ConnID, data []byte) int {
	want := min(b.cut(), len(data))
	n := b.k.s.d.Write(b.other[c], [][]byte{data[:want]})
	if n < want {
		b.k.s.d.SetReading(c, false) // until Writable of the other
	} else if n < len(data) {
		b.k.s.d.SetReading(c, true) // to be shown the rest
	}
	return n
}

func (b *bridge) writable(c engine.ConnID) { b.k.s.d.SetReading(b.other[c], true) }

func bulkBothWays(k *kit) {
	const size = 64 << 20
	b := &bridge{k: k, other: map[engine.ConnID]engine.ConnID{}, cut: cuts(100_000)}
	var atServer, atClient verifier
	target, servers := k.Serve(PeerOptions{OnData: func(_ Peer, b []byte) { atServer.take(b) }})
	k.s.onOpened = func(c engine.ConnID, in engine.ConnInfo) {
		if in.Listener != "" {
			k.s.d.SetReading(c, false)
			up := k.s.d.Connect(target)
			b.other[c], b.other[up] = up, c
			return
		}
		k.s.d.SetReading(b.other[c], true)
	}
	k.s.onReadable, k.s.onWritable = b.readable, b.writable
	client := k.Dial(PeerOptions{OnData: func(_ Peer, b []byte) { atClient.take(b) }})
	sendPattern(client, size)
	k.wait("the server's side", func() bool { return len(servers()) == 1 })
	sendPattern(servers()[0], size)
	k.wait("all bytes", func() bool {
		return atServer.at == size && atClient.at == size || atServer.wrong || atClient.wrong
	})
	if atServer.wrong || atClient.wrong {
		k.t.Fatalf("wrong bytes before %d at the server or %d at the client", atServer.at, atClient.at)
	}
}

func manyConnections(k *kit) {
	const count = 2000
	k.s.onReadable = func(c engine.ConnID, b []byte) int { return k.s.d.Write(c, [][]byte{b}) }
	peers := make([]Peer, count)
	sinks := make([]sink, count)
	for i := range peers {
		peers[i] = k.Dial(PeerOptions{OnData: sinks[i].take})
		peers[i].Write(patternAt(i, 100))
	}
	for i := range sinks {
		k.wait("an echo", func() bool { return len(sinks[i].got) == 100 })
		if !bytes.Equal(sinks[i].got, patternAt(i, 100)) {
			k.t.Fatalf("connection %d got another's bytes", i)
		}
	}
	k.Do(func() {
		for _, c := range k.s.opened {
			k.s.d.Close(c, engine.Clean)
		}
	})
	for _, p := range peers {
		k.wait("the end", ended(p, engine.Half))
	}
}
