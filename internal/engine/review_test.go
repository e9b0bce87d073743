package engine

import (
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
	"github.com/aeraki-mesh/aeraki/wire"
)

func message(k codec.Kind, id uint32, method string, size int) []byte {
	return toy.Append(nil, k, 0, id, 0, method, "", make([]byte, size))
}

// pour sends b until it would be more than limit bytes, or c is not read.
func (x *world) pour(c *link, b []byte, limit int) (sent int) {
	for sent < limit && c.reading && !c.closed {
		x.send(c, b)
		sent += len(b)
	}
	return sent
}

func TestHeartbeatsOfAPeerThatDoesNotReadAreNotHoarded(t *testing.T) {
	beats := make([]byte, 0, 64<<10)
	for len(beats) < 64<<10 {
		beats = append(beats, message(codec.Heartbeat, 1, "", 0)...)
	}
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	for _, peer := range []*link{c, up} {
		peer.room = 0
		x.pour(peer, beats, 8<<20)
		if x.w.pending > 2*highWater {
			t.Errorf("%d bytes of answers to heartbeats are kept", x.w.pending)
		}
		peer.room = 1 << 40
		x.turn(func() { x.w.Writable(peer.id) })
		x.send(peer, nil)
		if !peer.reading {
			t.Error("the peer is not read again")
		}
	}
}

func TestAnswersToPushesWaitForTheServer(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Request, toy.FlagPin, 1, 0, "subscribe", "", nil))
	up := x.up(0)
	for id := range uint32(20) {
		x.send(up, message(codec.Push, id, "news", 0))
	}
	up.room = 0
	for _, p := range x.take(c) {
		x.send(c, message(codec.Reply, p.ID, "news", 1<<20))
	}
	if c.reading || x.w.pending > 4*highWater {
		t.Errorf("reading %v, %d bytes are kept", c.reading, x.w.pending)
	}
	up.room = 1 << 40
	x.turn(func() { x.w.Writable(up.id) })
	if !c.reading {
		t.Error("the client is not read again")
	}
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

func TestRepliesThatWaitForTheirTurnAreBounded(t *testing.T) {
	x := newWorld(t, inOrder(), byMethodSlow)
	c := x.client()
	b := request(1, "a")
	for id := uint32(2); id < 500; id++ {
		b = append(b, request(id, "b")...)
	}
	x.send(c, b)
	slow, fast := x.up(0), x.up(1)
	served := uint32(2)
	asked := x.take(fast)
	for i := 0; i < len(asked) && fast.reading; i++ {
		x.send(fast, message(codec.Reply, asked[i].ID, "b", 256<<10))
		served++
	}
	if held := int(served) * 256 << 10; held > 4*highWater {
		t.Fatalf("%d bytes of replies are held", held)
	}
	if x.w.pending == 0 {
		t.Error("held replies are not counted")
	}
	x.send(slow, replyTo(x.take(slow)[0]))
	for i := int(served) - 2; i < len(asked); i++ {
		if !fast.reading {
			t.Fatalf("the fast server is not read again after %d", i)
		}
		x.send(fast, message(codec.Reply, asked[i].ID, "b", 256<<10))
	}
	if r := x.take(c); len(r) != 499 {
		t.Errorf("%d of 499 replies", len(r))
	}
	x.checkIdle()
}

const byMethodSlow = `{"routes":[{"name":"a","matches":[{"properties":[{"property":"method","exact":"a"}]}],"clusters":[{"name":"a","weight":1}]},
{"name":"b","matches":[{"properties":[{"property":"method","exact":"b"}]}],"clusters":[{"name":"b","weight":1}]},
{"name":"c","clusters":[{"name":"c","weight":1}]}]}`

// While replies of b are held because one of a comes first, the turn comes to
// a request that waits behind them on b's connection.
func TestHeldRepliesDoNotHoldWhatTheyWaitFor(t *testing.T) {
	x := newWorld(t, inOrder(), byMethodSlow)
	c := x.client()
	x.send(c, append(append(append(append(request(1, "a"), request(2, "b")...), request(3, "c")...), request(4, "b")...), request(5, "c")...))
	a, b, cc := x.up(0), x.up(1), x.up(2)
	toB, toC := x.take(b), x.take(cc)
	x.send(b, message(codec.Reply, toB[0].ID, "b", 600<<10))
	x.send(cc, append(message(codec.Reply, toC[0].ID, "c", 600<<10), message(codec.Reply, toC[1].ID, "c", 600<<10)...))
	x.send(b, message(codec.Reply, toB[1].ID, "b", 600<<10))
	x.send(a, replyTo(x.take(a)[0]))
	for range 3 {
		x.send(b, nil)
		x.send(cc, nil)
	}
	if r := x.take(c); len(r) != 5 {
		t.Errorf("%d of 5 replies", len(r))
	}
	x.checkIdle()
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

// Requests that were answered by a time-out and may still be replied to are
// in flight: they do not eat up the table that other listeners need.
func TestOrphansCountAsInFlight(t *testing.T) {
	x := newWorld(t, parallel(), toA, func(l *Listener) { l.Limits.Requests = 100 })
	for range 50 {
		c := x.client()
		var b []byte
		for id := range uint32(10) {
			b = append(b, request(id, "m")...)
		}
		x.send(c, b)
		x.turn(func() { c.closed = true; x.w.Closed(c.id, Abort) })
	}
	if x.w.live > 101 {
		t.Errorf("%d streams with a limit of 100 requests", x.w.live)
	}
	x.later(orphanLife + time.Second)
	if l := x.w.listeners["l"]; l.inflight != 0 || x.w.live != 0 {
		t.Errorf("%d in flight, %d streams", l.inflight, x.w.live)
	}
}

// wide is a protocol whose ids are wide enough for never coming twice.
type wide struct{ *toy.Protocol }

func (wide) Bits() int { return 64 }

func TestWideIDsNeedNoOrphans(t *testing.T) {
	x := newWorld(t, wide{parallel()}, `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"timeout":"0.1s"}]}`)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	late := x.take(up)[0]
	x.later(200 * time.Millisecond)
	if r := x.take(c); len(r) != 1 || cause(r[0]) != codec.TimedOut || x.w.live != 0 {
		t.Fatalf("%+v, %d streams", r, x.w.live)
	}
	x.send(c, request(2, "m"))
	x.send(up, replyTo(late))
	if r := x.take(c); len(r) != 0 || x.w.events[LateReply] != 1 || x.w.events[StrayReply] != 0 {
		t.Errorf("%+v, %d late", r, x.w.events[LateReply])
	}
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || r[0].ID != 2 {
		t.Errorf("%+v", r)
	}
	x.checkIdle()
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

func TestAClientThatNeverReadsIsGivenUp(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	c.room = 0
	x.send(up, replyTo(x.take(up)[0]))
	x.later(slowRead / 2)
	c.room = 10
	x.turn(func() { x.w.Writable(c.id) })
	x.later(slowRead * 3 / 4)
	if c.closed {
		t.Fatal("closed though it reads")
	}
	x.later(slowRead)
	if !c.closed || x.w.events[SlowReader] != 1 || x.w.pending != 0 {
		t.Errorf("closed %v, %d bytes kept", c.closed, x.w.pending)
	}
}

func TestAServerThatNeverReadsIsGivenUp(t *testing.T) {
	p := parallel()
	p.T.HeartbeatInterval = time.Minute
	x := newWorld(t, p, toA)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	up.room = 0
	x.send(c, request(2, "m"))
	x.later(3 * poolIdle)
	if r := x.take(c); !up.closed || len(r) != 2 || cause(r[0]) != codec.Reset {
		t.Errorf("closed %v, the client got %+v", up.closed, r)
	}
}

func TestConnectionsThatNobodyUsesEnd(t *testing.T) {
	for _, sharing := range []Sharing{Leased, SharedByID} {
		p := parallel()
		p.T.HeartbeatInterval = time.Minute
		x := newWorld(t, p, toA, func(l *Listener) { l.Sharing = sharing })
		c := x.client()
		x.send(c, request(1, "m"))
		up := x.up(0)
		for i := range 20 {
			for _, m := range x.take(up) {
				if m.Kind == codec.Heartbeat {
					x.send(up, message(codec.HeartbeatReply, m.ID, "", 0))
				} else {
					x.send(up, replyTo(m))
				}
			}
			x.later(time.Minute)
			if i < 4 && up.closed {
				t.Fatal("closed too early")
			}
		}
		if !up.closed || x.w.events[HeartbeatMissed] != 0 {
			t.Errorf("closed %v after 20 minutes, %d missed", up.closed, x.w.events[HeartbeatMissed])
		}
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

// broken is a protocol with a bug.
type broken struct {
	*toy.Protocol
	reply, mutate bool
}

func (p broken) AppendReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	if p.reply {
		panic("a bug")
	}
	return p.Protocol.AppendReply(dst, o, r)
}

func (p broken) Mutate(*wire.Patch, []byte, *codec.Message, []codec.Edit) error {
	if p.mutate {
		panic("a bug")
	}
	return codec.ErrNoCarrier
}

// A bug met while a reply is handled leaves no client without an answer.
func TestPanicInAReplyIsAnswered(t *testing.T) {
	x := newWorld(t, broken{Protocol: parallel(), mutate: true},
		`{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"filters":[{"name":"mutation","config":{"response":[{"property":"tag","value":"v"}]}}]}]}`)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || cause(r[0]) != codec.Reset || x.w.events[Panic] != 1 {
		t.Errorf("%+v, %d panics", r, x.w.events[Panic])
	}
	x.checkIdle()
}

// One in a local reply ends the client that was to have it, and nothing else.
func TestPanicInALocalReply(t *testing.T) {
	x := newWorld(t, broken{Protocol: parallel(), reply: true}, `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"timeout":"1s"}]}`)
	c1, c2 := x.client(), x.client()
	x.send(c1, request(1, "m"))
	x.send(c2, request(2, "m"))
	up := x.up(0)
	x.turn(func() { up.closed = true; x.w.Closed(up.id, Abort) })
	if !c1.closed || !c2.closed {
		t.Error("clients wait for an answer that does not come")
	}
	c3 := x.client()
	x.send(c3, request(3, "m"))
	x.later(2 * time.Second) // in a timer
	if !c3.closed {
		t.Error("a client waits for an answer that does not come")
	}
}

// The client is given up in the middle of its reply, and a server with it.
func TestAClientGivenUpTakesNoFreedRequestAlong(t *testing.T) {
	x := newWorld(t, parallel(), `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"timeout":"1s"}]}`)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Request, toy.FlagPin, 1, 0, "subscribe", "", nil))
	up := x.up(0)
	c.room = 0
	b := message(codec.Push, 1, "news", 15<<20)
	for range 4 {
		x.send(up, b)
	}
	x.send(up, message(codec.Push, 1, "news", 4<<20))
	x.later(2 * time.Second)
	for s := x.w.free; s != nil; s = s.newer {
		if s.deadline.armed {
			t.Fatal("a free stream has a timer: it will end a stranger's request")
		}
	}
}

// plain is a protocol whose ids cannot be rewritten.
type plain struct{ p *toy.Protocol }

func (p plain) Traits() codec.Traits                               { return p.p.Traits() }
func (p plain) Properties() []codec.Property                       { return p.p.Properties() }
func (p plain) Sniff(b []byte) codec.Verdict                       { return p.p.Sniff(b) }
func (p plain) Decoder(s codec.Side, l codec.Limits) codec.Decoder { return p.p.Decoder(s, l) }

func TestRepliesByIDThatCannotBeRewritten(t *testing.T) {
	x := newWorld(t, plain{toy.New(codec.ByID, codec.ByID, false)}, toA)
	c := x.client()
	x.send(c, append(request(70, "first"), request(71, "second")...))
	up := x.up(0)
	got := x.take(up)
	x.send(up, append(replyTo(got[1]), replyTo(got[0])...))
	if r := x.take(c); len(r) != 2 || r[0].ID != 71 || r[1].ID != 70 {
		t.Errorf("%+v", r)
	}
	x.checkIdle()
}
