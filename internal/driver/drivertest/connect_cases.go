package drivertest

import (
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// connectCases are about connections that the worker makes.
var connectCases = []testCase{
	{"connect, and connect inside Readable", connects},
	{"a refused connection fails later", refused},
	{"a connection that nobody answers can be given up", givenUp},
	{"writing before Opened takes nothing", writeBeforeOpened},
}

func connects(k *kit) {
	var atServer sink
	target, servers := k.Serve(PeerOptions{OnData: atServer.take})
	var up engine.ConnID
	k.s.onReadable = func(c engine.ConnID, b []byte) int {
		if up == 0 {
			up = k.s.d.Connect(target)
		}
		return len(b)
	}
	p, _, _ := k.dialSink()
	p.Write([]byte("go"))
	k.wait("Opened", func() bool { return up != 0 && k.s.life[up] == usable })
	if in := k.s.info[up]; in.Listener != "" {
		k.t.Errorf("opened with %+v", in)
	}
	k.Do(func() { k.s.d.Write(up, [][]byte{[]byte("request")}) })
	k.wait("bytes at the server", func() bool { return string(atServer.got) == "request" })
	servers()[0].Close()
	k.wait("the server's end", func() bool { return k.s.life[up] == half || k.s.life[up] == dead })
}

func refused(k *kit) {
	target := k.Refused()
	for range 10 {
		var c engine.ConnID
		k.Do(func() { c = k.s.d.Connect(target) })
		k.wait("the failure", func() bool { return k.s.life[c] == dead })
		if why := k.s.closed[c]; why != engine.ConnectFailed {
			k.t.Errorf("closed %v", why)
		}
	}
}

func givenUp(k *kit) {
	silent, loud := k.Silent(), k.Refused()
	target, _ := k.Serve(PeerOptions{})
	for _, how := range []engine.How{engine.Clean, engine.Abort} {
		var c engine.ConnID
		k.Do(func() { c = k.s.d.Connect(silent) })
		quiet(k)
		if k.s.life[c] != asked {
			k.t.Fatalf("a silent address answered: %v", k.s.closed[c])
		}
		k.Do(func() {
			k.s.d.Close(c, how)
			k.s.d.Close(k.s.d.Connect(loud), how)
			k.s.d.Close(k.s.d.Connect(target), how)
		})
		quiet(k) // the script fails the test if anything is reported
	}
}

func writeBeforeOpened(k *kit) {
	var atServer sink
	target, _ := k.Serve(PeerOptions{OnData: atServer.take})
	k.s.onOpened = func(c engine.ConnID, _ engine.ConnInfo) { k.s.d.Write(c, [][]byte{[]byte("in time")}) }
	k.Do(func() {
		up := k.s.d.Connect(target)
		if n := k.s.d.Write(up, [][]byte{[]byte("early")}); n != 0 {
			k.t.Errorf("%d bytes taken", n)
		}
	})
	k.wait("bytes", func() bool { return len(atServer.got) >= len("in time") })
	if string(atServer.got) != "in time" {
		k.t.Errorf("the server got %q", atServer.got)
	}
}
