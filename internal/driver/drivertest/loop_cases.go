package drivertest

import (
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// loopCases are about iterations, time and the listener.
var loopCases = []testCase{
	{"timers fire", timers},
	{"no timer, nothing to do: no iteration", noTimer},
	{"a time in the past is an iteration at once", pastTimer},
	{"Do runs between iterations, and one follows", doBetween},
	{"a listener that stops serves who came before", stopAccepting},
}

func timers(k *kit) {
	const count = 20
	var due time.Duration
	fired := 0
	k.s.onFlush = func(now time.Duration) time.Duration {
		if due > 0 && now >= due {
			fired++
			due = 0
		}
		if fired == count {
			return engine.Never
		}
		if due == 0 {
			due = now + time.Duration(fired)*300*time.Microsecond
		}
		return due
	}
	k.Do(func() {})
	k.wait("all timers", func() bool { return fired == count })
	quiet(k)
}

func noTimer(k *kit) {
	k.dial(PeerOptions{})
	quiet(k)
	k.s.onFlush = func(now time.Duration) time.Duration { return now + time.Hour }
	k.Do(func() {})
	quiet(k)
}

func pastTimer(k *kit) {
	left := 50
	k.s.onFlush = func(now time.Duration) time.Duration {
		if left--; left < 0 {
			return engine.Never
		}
		return now - time.Duration(left%3)*time.Second
	}
	k.Do(func() {})
	k.wait("iterations", func() bool { return left < 0 })
	k.s.onFlush = func(time.Duration) time.Duration { return 0 }
	left = k.s.iterations
	k.Do(func() {})
	k.wait("iterations", func() bool { return k.s.iterations > left+3 })
	k.s.onFlush = nil
}

func doBetween(k *kit) {
	p, c, s := k.dialSink()
	for i := range 100 {
		before := k.s.iterations
		k.Do(func() {
			if k.s.awake {
				k.t.Error("Do inside an iteration")
			}
			k.s.d.Write(c, [][]byte{{byte(i)}})
		})
		k.wait("an iteration", func() bool { return k.s.iterations > before && !k.s.awake })
	}
	k.wait("what was written", func() bool { return len(s.got) == 100 })
	p.Close()
}

func stopAccepting(k *kit) {
	k.s.onReadable = func(c engine.ConnID, b []byte) int { return k.s.d.Write(c, [][]byte{b}) }
	const count = 50
	peers := make([]Peer, count)
	sinks := make([]sink, count)
	for i := range peers {
		peers[i] = k.Dial(PeerOptions{OnData: sinks[i].take})
	}
	k.StopAccepting()
	for i, p := range peers {
		p.Write([]byte("still there?"))
		k.wait("the echo", func() bool { return len(sinks[i].got) == 12 })
	}
	late := k.Dial(PeerOptions{})
	k.wait("the refusal", ended(late, engine.ConnectFailed))
}
