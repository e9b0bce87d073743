package engine

import (
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

func message(k codec.Kind, id uint32, method string, size int) []byte {
	return toy.Append(nil, k, 0, id, 0, method, "", make([]byte, size))
}

// Two servers choose the ids of their pushes without knowing of each other.
func TestPushesOfTwoServersAreToldApart(t *testing.T) {
	x := newWorld(t, parallel(), byMethod)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Request, toy.FlagPin, 1, 0, "a", "", nil))
	x.send(c, toy.Append(nil, codec.Request, toy.FlagPin, 2, 0, "b", "", nil))
	a, b := x.up(0), x.up(1)
	x.take(a)
	x.take(b)
	x.send(a, message(codec.Push, 5, "of a", 0))
	x.send(b, message(codec.Push, 5, "of b", 0))
	pushes := x.take(c)
	for i := len(pushes) - 1; i >= 0; i-- {
		x.send(c, message(codec.Reply, pushes[i].ID, pushes[i].Method, 0))
	}
	gotA, gotB := x.take(a), x.take(b)
	if len(gotA) != 1 || len(gotB) != 1 || gotA[0].Method != "of a" || gotB[0].Method != "of b" || gotA[0].ID != 5 || gotB[0].ID != 5 {
		t.Errorf("a got %+v, b got %+v", gotA, gotB)
	}
}

const mirrored = `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"filters":[{"name":"mirror","config":{"cluster":"b"}}]}]}`

// A mirror that hangs costs the requests it copies nothing, and not much memory.
func TestMirrorThatHangsIsBounded(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, mirrored)
		c := x.client()
		b := message(codec.Request, 1, "m", 16<<10)
		for range 3000 {
			x.send(c, b)
			for _, u := range x.dials {
				if u.target.Cluster == "a" {
					u = x.up(indexOf(x, u))
					x.send(u, replyTo(x.take(u)[0]))
				}
			}
			x.take(c)
		}
		if len(x.dials) > maxCopies+10 || x.w.pending > 32<<20 || x.w.events[MirrorFailed] == 0 {
			t.Errorf("%d connections, %d bytes kept, %d copies failed", len(x.dials), x.w.pending, x.w.events[MirrorFailed])
		}
		if r := x.results(); r[ServedOK] != 3000 {
			t.Errorf("counted %v", r)
		}
		x.later(orphanLife + time.Minute)
		x.checkIdle()
	}
}

func indexOf(x *world, l *link) int {
	for i, d := range x.dials {
		if d == l {
			return i
		}
	}
	return -1
}

func TestBigMessagesMayTakeLong(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	b := message(codec.Request, 1, "m", 8<<20)
	for len(b) > 0 {
		n := min(64<<10, len(b)) // 64 KiB per second
		x.send(c, b[:n])
		b = b[n:]
		x.later(time.Second)
		if c.closed {
			t.Fatal("closed though it sends fast enough")
		}
	}
	x.take(x.up(0))
}

func TestAClientThatIsHeldIsNotSlow(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	b := message(codec.Request, 1, "m", 8<<20)
	x.send(c, b[:100<<10])
	x.w.holdBack(&x.w.find(c.id).down.conn, holdUpstream)
	x.later(10 * time.Minute)
	x.turn(func() { x.w.letGo(&x.w.find(c.id).down.conn, holdUpstream) })
	for b = b[100<<10:]; len(b) > 0 && !c.closed; b = b[min(64<<10, len(b)):] {
		x.send(c, b[:min(64<<10, len(b))])
		x.later(time.Second)
	}
	if c.closed || len(x.take(x.up(0))) != 1 {
		t.Error("the client was given up for what the proxy did")
	}
}

func TestOneByteAndNoMoreIsGivenUp(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c, silent := x.client(), x.client()
	x.send(c, []byte{'T'})
	x.later(2 * slowMessage)
	if !c.closed || silent.closed {
		t.Errorf("after one byte: closed %v; idle: closed %v", c.closed, silent.closed)
	}
}

func TestARemovedListenerLeavesNoConnection(t *testing.T) {
	p := parallel()
	p.T.HeartbeatInterval = time.Minute
	x := newWorld(t, p, toA)
	c := x.client()
	x.send(c, request(1, "m"))
	x.send(x.up(0), replyTo(x.take(x.up(0))[0]))
	x.turn(func() { x.w.Configure(&Config{}) })
	x.send(c, request(2, "sent before it was asked to go"))
	up := x.up(len(x.dials) - 1)
	for _, m := range x.take(up) {
		x.send(up, replyTo(m))
	}
	x.later(drainQuiet + time.Second)
	if !c.closed {
		t.Fatal("the client is still there")
	}
	for i, u := range x.dials {
		if !u.closed {
			t.Errorf("upstream connection %d is open and belongs to nobody", i)
		}
	}
}

func TestADrainEndsThoughTheClientGoesOn(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.turn(func() { x.w.Configure(&Config{}) })
	for id := range uint32(120) {
		if c.closed {
			return
		}
		x.send(c, request(id, "m"))
		up := x.up(len(x.dials) - 1)
		for _, m := range x.take(up) {
			x.send(up, replyTo(m))
		}
		x.later(time.Second)
	}
	t.Error("after two minutes a removed listener still serves")
}
