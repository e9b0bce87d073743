package drivertest

import (
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// closeCases are about how connections end, and what is left of them.
var closeCases = []testCase{
	{"the worker ends its direction and reads on", halfFromWorker},
	{"both directions ended, not closed: no spinning", halfBothIdle},
	{"an end of stream behind a pause is seen after it", halfBehindPause},
	{"a clean close delivers though input is unread", cleanWithUnread},
	{"a clean close delivers though the peer reads late", cleanToLateReader},
	{"an abort is a reset", abort},
	{"the peer's reset is reported", peerResets},
	{"a reset while the worker writes is reported once", resetWhileWriting},
	{"closing inside every event", closeInsideEvents},
	{"slots are reused, and stale ids are nobody's", reuse},
}

func halfFromWorker(k *kit) {
	var got int
	k.s.onReadable = func(_ engine.ConnID, b []byte) int { got += len(b); return len(b) }
	p, c, s := k.dialSink()
	k.Do(func() {
		k.s.d.Write(c, [][]byte{[]byte("last")})
		k.s.d.Close(c, engine.Half)
	})
	k.wait("the end of stream", ended(p, engine.Half))
	if string(s.got) != "last" {
		k.t.Errorf("before the end came %q", s.got)
	}
	p.Write(patternAt(0, 100_000))
	k.wait("bytes after our end", func() bool { return got == 100_000 })
	p.CloseWrite()
	k.wait("the peer's end", func() bool { return k.s.life[c] == half })
	k.Do(func() { k.s.d.Close(c, engine.Clean) })
}

func halfBothIdle(k *kit) {
	p, c, _ := k.dialSink()
	p.CloseWrite()
	k.wait("half-close", func() bool { return k.s.life[c] == half })
	quiet(k)
	k.Do(func() { k.s.d.Close(c, engine.Half) })
	k.wait("our end", ended(p, engine.Half))
	quiet(k)
	k.Do(func() { k.s.d.SetReading(c, true) })
	quiet(k)
	k.Do(func() { k.s.d.Close(c, engine.Clean) })
}

func halfBehindPause(k *kit) {
	var shown []byte
	k.s.onReadable = func(_ engine.ConnID, b []byte) int { shown = append(shown, b...); return len(b) }
	k.s.onOpened = func(c engine.ConnID, _ engine.ConnInfo) { k.s.d.SetReading(c, false) }
	p, c, _ := k.dialSink()
	k.Do(func() { k.s.d.Close(c, engine.Half) })
	p.Write([]byte("unseen"))
	p.CloseWrite()
	k.wait("our end", ended(p, engine.Half))
	quiet(k)
	if len(shown) > 0 || k.s.life[c] != usable {
		k.t.Errorf("paused, but shown %q, state %d", shown, k.s.life[c])
	}
	k.Do(func() { k.s.d.SetReading(c, true) })
	k.wait("half-close", func() bool { return k.s.life[c] == half })
	if string(shown) != "unseen" {
		k.t.Errorf("shown %q", shown)
	}
	k.Do(func() { k.s.d.Close(c, engine.Clean) })
}

func cleanWithUnread(k *kit) {
	bye := patternAt(0, 20_000)
	k.s.onReadable = func(c engine.ConnID, b []byte) int {
		if n := k.s.d.Write(c, [][]byte{bye}); n != len(bye) {
			k.t.Errorf("only %d bytes taken", n)
		}
		k.s.d.Close(c, engine.Clean)
		return 0
	}
	p, _, s := k.dialSink()
	sendPattern(p, 200_000)
	k.wait("the end", func() bool { _, is := p.End(); return is })
	if how, _ := p.End(); how != engine.Half || len(s.got) != len(bye) {
		k.t.Errorf("the end: %v after %d bytes of %d", how, len(s.got), len(bye))
	}
}

// cleanToLateReader closes while more is under way than the peer's buffers
// hold: what a reset would destroy.
func cleanToLateReader(k *kit) {
	var got verifier
	p, c := k.dial(PeerOptions{Buffer: 32 << 10, OnData: func(_ Peer, b []byte) { got.take(b) }})
	p.SetReading(false)
	p.Write(patternAt(0, 10_000))
	taken := 0
	k.Do(func() {
		k.s.d.SetReading(c, false)
		taken = k.s.d.Write(c, [][]byte{patternAt(0, 250_000)})
		k.s.d.Close(c, engine.Clean)
	})
	p.Write(patternAt(0, 10_000))
	quiet(k)
	p.SetReading(true)
	k.wait("the end", func() bool { _, is := p.End(); return is })
	if how, _ := p.End(); how != engine.Half || got.at != taken || got.wrong {
		k.t.Errorf("the end: %v after %d bytes of %d", how, got.at, taken)
	}
}

func abort(k *kit) {
	p, c, _ := k.dialSink()
	k.Do(func() { k.s.d.Close(c, engine.Abort) })
	k.wait("the reset", ended(p, engine.Abort))
}

func peerResets(k *kit) {
	for _, paused := range []bool{false, true} {
		p, c, _ := k.dialSink()
		k.Do(func() { k.s.d.SetReading(c, !paused) })
		p.Reset()
		k.wait("the reset", func() bool { return k.s.life[c] == dead })
		if why := k.s.closed[c]; why != engine.Abort {
			k.t.Errorf("paused %v: closed %v", paused, why)
		}
	}
	quiet(k)
}

func resetWhileWriting(k *kit) {
	for range 20 {
		p, c := k.dial(PeerOptions{Buffer: 32 << 10})
		p.SetReading(false)
		w := &pump{s: k.s, c: c, size: 16 << 20, cuts: cuts(50_000)}
		k.s.onWritable = func(engine.ConnID) { w.run() }
		k.Do(w.run)
		p.Reset()
		k.wait("the reset", func() bool {
			if k.s.life[c] != dead {
				k.Do(w.run) // transports without back-pressure learn it by writing
			}
			return k.s.life[c] == dead
		})
		if n := k.s.d.Write(c, [][]byte{{1}}); n != 0 {
			k.t.Errorf("a dead connection took %d bytes", n)
		}
	}
}

func closeInsideEvents(k *kit) {
	for _, how := range []engine.How{engine.Clean, engine.Abort} {
		closeIt := func(c engine.ConnID) { k.s.d.Close(c, how) }
		gone := func(p Peer) {
			k.t.Helper()
			k.wait("the end", func() bool { _, is := p.End(); return is })
			k.s.onOpened, k.s.onReadable, k.s.onWritable, k.s.onClosed, k.s.onFlush = nil, nil, nil, nil, nil
		}

		k.s.onOpened = func(c engine.ConnID, _ engine.ConnInfo) { closeIt(c) }
		gone(k.Dial(PeerOptions{}))

		p, _, _ := k.dialSink()
		k.s.onReadable = func(c engine.ConnID, b []byte) int { closeIt(c); return len(b) / 2 }
		p.Write([]byte("to be cut"))
		gone(p)

		p, c, _ := k.dialSink()
		k.s.onClosed = func(engine.ConnID, engine.How) { closeIt(c) }
		p.CloseWrite()
		gone(p)

		p, c, _ = k.dialSink()
		k.s.onFlush = func(time.Duration) time.Duration { closeIt(c); return engine.Never }
		k.Do(func() {})
		gone(p)

		p, c = k.dial(PeerOptions{Buffer: 32 << 10})
		p.SetReading(false)
		w := &pump{s: k.s, c: c, size: 16 << 20, cuts: cuts(50_000)}
		k.s.onWritable = closeIt
		k.Do(w.run)
		if w.at < w.size { // else there is no Writable to wait for
			p.SetReading(true)
			gone(p)
		}
	}
}

func reuse(k *kit) {
	target, _ := k.Serve(PeerOptions{})
	k.s.onReadable = func(c engine.ConnID, b []byte) int { return k.s.d.Write(c, [][]byte{b}) }
	slots := map[uint32]bool{}
	var old []engine.ConnID
	for round := range 1500 {
		p, c, s := k.dialSink()
		slots[c.Index()] = true
		k.Do(func() {
			for _, o := range old[max(0, len(old)-20):] {
				if n := k.s.d.Write(o, [][]byte{[]byte("stale")}); n != 0 {
					k.t.Fatalf("stale id %x took %d bytes", uint64(o), n)
				}
				k.s.d.SetReading(o, false)
				k.s.d.Close(o, engine.Abort)
				k.s.life[o] = dead
			}
		})
		p.Write([]byte("mine"))
		k.wait("the echo", func() bool { return string(s.got) == "mine" })
		if round%3 == 0 {
			p.Reset()
			k.wait("the reset", func() bool { return k.s.life[c] == dead })
		} else {
			var up engine.ConnID
			k.Do(func() { k.s.d.Close(c, engine.Abort); up = k.s.d.Connect(target) })
			k.wait("the connection", func() bool { return k.s.life[up] == usable })
			k.Do(func() { k.s.d.Close(up, engine.Abort) })
			old = append(old, up)
			slots[up.Index()] = true
			p.Close()
		}
		old = append(old, c)
	}
	if len(slots) > 100 {
		k.t.Errorf("%d slots for connections that lived one after the other", len(slots))
	}
}
