package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

func inOrder() *toy.Protocol  { return toy.New(codec.InOrder, codec.InOrder, false) }
func parallel() *toy.Protocol { return toy.New(codec.ByID, codec.ByID, true) }

func TestRequestAndReplyCrossByteByByte(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, toA)
		c := x.client()
		for _, b := range request(7, "hello") {
			x.send(c, []byte{b})
		}
		up := x.up(0)
		got := x.take(up)
		if len(got) != 1 || got[0].Method != "hello" || string(got[0].Payload) != "payload 7" {
			t.Fatalf("the upstream got %+v", got)
		}
		for _, b := range replyTo(got[0]) {
			x.send(up, []byte{b})
		}
		if r := x.take(c); len(r) != 1 || r[0].ID != 7 || string(r[0].Payload) != "payload 7" {
			t.Fatalf("the client got %+v", r)
		}
		x.checkIdle()
		if r := x.results(); r[ServedOK] != 1 {
			t.Errorf("counted %v", r)
		}
	}
}

func TestLeasedConnectionsAreNotSharedByStrangers(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c1, c2 := x.client(), x.client()
	x.send(c1, append(request(1, "a"), request(1, "b")...)) // same id twice: order joins them
	x.send(c2, request(1, "c"))
	if len(x.dials) != 2 {
		t.Fatalf("%d upstream connections for two clients", len(x.dials))
	}
	u1, u2 := x.up(0), x.up(1)
	first, second := x.take(u1), x.take(u2)
	if len(first) != 2 || len(second) != 1 {
		t.Fatalf("%d and %d requests", len(first), len(second))
	}
	x.send(u2, replyTo(second[0]))
	x.send(u1, replyTo(first[0]))
	x.send(u1, replyTo(first[1]))
	if r := x.take(c1); len(r) != 2 || r[0].Method != "a" || r[1].Method != "b" || r[0].ID != 1 {
		t.Errorf("%+v", r)
	}
	x.send(c2, request(2, "d"))
	x.send(c1, request(2, "e"))
	if len(x.dials) != 2 {
		t.Error("idle connections were not used again")
	}
	x.take(u1)
	x.take(u2)
}

func TestSharedConnectionsAreJoinedByID(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c1, c2 := x.client(), x.client()
	x.send(c1, append(request(1, "a"), request(2, "b")...))
	x.send(c2, request(1, "c"))
	if len(x.dials) != 1 {
		t.Fatalf("%d upstream connections", len(x.dials))
	}
	up := x.up(0)
	got := x.take(up)
	for _, i := range []int{2, 1, 0} {
		x.send(up, replyTo(got[i]))
	}
	r := x.take(c1)
	if len(r) != 2 || r[0].ID != 2 || r[0].Method != "b" || r[1].ID != 1 || r[1].Method != "a" {
		t.Errorf("%+v", r)
	}
	if r := x.take(c2); len(r) != 1 || r[0].ID != 1 || r[0].Method != "c" {
		t.Errorf("%+v", r)
	}
	x.checkIdle()
}

const byMethod = `{"routes":[{"name":"a","matches":[{"properties":[{"property":"method","exact":"a"}]}],"clusters":[{"name":"a","weight":1}]},
{"name":"b","matches":[{"properties":[{"property":"method","prefix":"b"}]}],"clusters":[{"name":"b","weight":1}],"timeout":"0.1s"}]}`

func TestRepliesKeepTheClientsOrder(t *testing.T) {
	x := newWorld(t, inOrder(), byMethod)
	c := x.client()
	x.send(c, append(append(request(1, "a"), request(2, "b")...), request(3, "nobody")...))
	a, b := x.up(0), x.up(1)
	x.send(b, replyTo(x.take(b)[0]))
	if r := x.take(c); len(r) != 0 {
		t.Fatalf("%+v overtook the first request", r)
	}
	x.send(a, replyTo(x.take(a)[0]))
	r := x.take(c)
	if len(r) != 3 || r[0].ID != 1 || r[1].ID != 2 || r[2].ID != 3 || cause(r[2]) != codec.NoRoute {
		t.Fatalf("%+v", r)
	}
	x.checkIdle()
}

func TestTimeoutAnswersOnceAndDropsTheLateReply(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, byMethod)
		c := x.client()
		x.send(c, append(request(1, "b"), request(2, "b2")...))
		up := x.up(0)
		got := x.take(up)
		x.later(99 * time.Millisecond)
		if r := x.take(c); len(r) != 0 {
			t.Fatalf("early: %+v", r)
		}
		x.later(3 * time.Millisecond)
		if r := x.take(c); len(r) != 2 || cause(r[0]) != codec.TimedOut || r[0].ID != 1 || r[1].ID != 2 || r[0].Method != "b" {
			t.Fatalf("%+v", r)
		}
		if !up.closed {
			x.send(up, replyTo(got[0]))
			x.send(up, replyTo(got[1]))
		}
		if r := x.take(c); len(r) != 0 {
			t.Fatalf("a late reply went to %+v", r)
		}
		x.checkIdle()
		x.send(c, request(3, "a"))
		fresh := x.up(len(x.dials) - 1)
		x.send(fresh, replyTo(x.take(fresh)[0]))
		if r := x.take(c); len(r) != 1 || r[0].ID != 3 {
			t.Fatalf("%+v", r)
		}
	}
}

func TestClientsOwnDeadlineHolds(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Request, 0, 5, 30, "m", "", nil))
	x.up(0)
	x.later(32 * time.Millisecond)
	if r := x.take(c); len(r) != 1 || cause(r[0]) != codec.TimedOut {
		t.Fatalf("%+v", r)
	}
}

func TestLateReplyNeverReachesTheSlotsNextRequest(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Request, 0, 1, 10, "old", "", nil))
	up := x.up(0)
	old := x.take(up)[0]
	x.later(12 * time.Millisecond)
	x.take(c)
	x.send(c, request(2, "new"))
	x.send(up, replyTo(old))
	x.send(up, replyTo(old))
	if r := x.take(c); len(r) != 0 {
		t.Fatalf("the reply to %q reached %+v", old.Method, r)
	}
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || r[0].Method != "new" {
		t.Fatalf("%+v", r)
	}
	if x.w.events[LateReply] != 1 || x.w.events[StrayReply] != 1 {
		t.Errorf("late %d, stray %d", x.w.events[LateReply], x.w.events[StrayReply])
	}
}

func TestBrokenUpstreamsAnswerAllTheirRequests(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		for name, breakIt := range map[string]func(*world, *link){
			"reset":   func(x *world, up *link) { x.turn(func() { up.closed = true; x.w.Closed(up.id, Abort) }) },
			"half":    func(x *world, up *link) { x.turn(func() { x.w.Closed(up.id, Half) }) },
			"garbage": func(x *world, up *link) { x.send(up, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		} {
			x := newWorld(t, p, toA)
			c := x.client()
			x.send(c, append(request(1, "a"), request(2, "b")...))
			up := x.up(0)
			breakIt(x, up)
			r := x.take(c)
			if len(r) != 2 || r[0].ID != 1 || r[1].ID != 2 || !up.closed {
				t.Errorf("%s: %+v, closed %v", name, r, up.closed)
			}
			x.checkIdle()
		}
	}
}

func TestConnectFailureAndNoEndpointAreAnswered(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	x.turn(func() { x.dials[0].closed = true; x.w.Closed(x.dials[0].id, ConnectFailed) })
	x.send(c, request(2, "m"))
	x.later(6 * time.Second) // the second attempt never answers
	x.setEndpoints("a")
	x.send(c, request(3, "m"))
	x.clusters["a"].set = &EndpointSet{}
	x.send(c, request(4, "m"))
	r := x.take(c)
	want := []codec.Cause{codec.ConnectFail, codec.ConnectFail, codec.NoUpstream, codec.NoCluster}
	for i, w := range want {
		if i >= len(r) || cause(r[i]) != w || r[i].ID != uint32(i+1) {
			t.Fatalf("reply %d of %+v is not cause %d", i, r, w)
		}
	}
	x.checkIdle()
}

func TestOnewayIsForwardedAndNotAwaited(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, toA)
		c := x.client()
		x.send(c, append(toy.Append(nil, codec.Oneway, 0, 0, 0, "tell", "", nil), request(1, "m")...))
		up := x.up(0)
		got := x.take(up)
		if len(got) != 2 || got[0].Kind != codec.Oneway || got[1].Method != "m" {
			t.Fatalf("%+v over %d connections", got, len(x.dials))
		}
		x.send(up, replyTo(got[1]))
		if r := x.take(c); len(r) != 1 || x.results()[OnewaySent] != 1 {
			t.Errorf("%+v %v", r, x.results())
		}
		x.checkIdle()
	}
}

func TestHalfClosedClientGetsItsReplies(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	x.turn(func() { x.w.Closed(c.id, Half) })
	up := x.up(0)
	if c.closed {
		t.Fatal("closed before the reply")
	}
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || !c.closed || c.how != Clean {
		t.Errorf("%+v, closed %v %v", r, c.closed, c.how)
	}
}

func TestClientThatLeavesLeavesNothing(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	x.send(c, append(request(1, "m"), request(2, "n")...))
	up := x.up(0)
	got := x.take(up)
	x.turn(func() { c.closed = true; x.w.Closed(c.id, Abort) })
	x.send(up, append(replyTo(got[0]), replyTo(got[1])...))
	x.checkIdle()
	if r := x.results(); r[Gone] != 2 || up.closed {
		t.Errorf("counted %v, upstream closed %v", r, up.closed)
	}
	c2 := x.client()
	x.send(c2, request(1, "m"))
	if len(x.dials) != 1 {
		t.Error("the connection was not given back")
	}
}

func TestUndecodableBytesEndTheClientAfterItsReplies(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	x.send(c, append(request(1, "m"), "nonsense that is long enough"...))
	up := x.up(0)
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || !c.closed || x.w.events[BadRequestBytes] != 1 {
		t.Errorf("%+v, closed %v", r, c.closed)
	}
	c = x.client()
	x.send(c, []byte("GET / HTTP/1.1\r\n"))
	if !c.closed || x.w.events[ForeignProtocol] != 1 {
		t.Error("a foreign protocol was not recognised")
	}
}

func TestRequestsPerConnectionAreLimitedByNotReading(t *testing.T) {
	x := newWorld(t, parallel(), toA, func(l *Listener) { l.Limits.RequestsPerConnection = 3 })
	c := x.client()
	var b []byte
	for i := range uint32(10) {
		b = append(b, request(i, "m")...)
	}
	x.send(c, b)
	up := x.up(0)
	seen := 0
	for range 20 {
		got := x.take(up)
		if seen += len(got); len(got) > 3 {
			t.Fatalf("%d in flight", len(got))
		}
		for _, m := range got {
			x.send(up, replyTo(m))
		}
		x.send(c, nil)
	}
	if seen != 10 || len(x.take(c)) != 10 {
		t.Errorf("%d of 10 were served", seen)
	}
}

func TestBackPressureTowardsUpstream(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, toA)
		c := x.client()
		x.send(c, request(1, "m"))
		up := x.up(0)
		up.room = 0
		big := toy.Append(nil, codec.Request, 0, 2, 0, "m", "", make([]byte, 300<<10))
		for range 10 {
			x.send(c, big)
		}
		if c.reading || x.w.pending > 2<<20 {
			t.Fatalf("reading %v with %d bytes pending", c.reading, x.w.pending)
		}
		up.room = 1 << 40
		x.turn(func() { x.w.Writable(up.id) })
		for range 10 {
			x.send(c, nil)
		}
		if got := x.take(up); len(got) != 11 {
			t.Errorf("%d of 11 requests came through", len(got))
		}
	}
}

func TestBackPressureTowardsClient(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	for i := range uint32(8) {
		x.send(c, request(i, "m"))
	}
	up := x.up(0)
	c.room = 0
	for _, m := range x.take(up) {
		m.Payload = make([]byte, 300<<10)
		x.send(up, replyTo(m))
	}
	if up.reading || c.reading || x.w.pending > 2<<20 {
		t.Fatalf("reading up %v, client %v with %d bytes pending", up.reading, c.reading, x.w.pending)
	}
	c.room = 1 << 40
	x.turn(func() { x.w.Writable(c.id) })
	for range 8 {
		x.send(up, nil)
	}
	if r := x.take(c); len(r) != 8 || !c.reading {
		t.Errorf("%d of 8 replies, reading %v", len(r), c.reading)
	}
}

func TestWeightsAreExact(t *testing.T) {
	x := newWorld(t, parallel(), `{"routes":[{"name":"r","clusters":[{"name":"a","weight":20},{"name":"b","weight":80}]}]}`)
	c := x.client()
	for i := range uint32(1000) {
		x.send(c, request(i, "m"))
	}
	counts := map[string]int{}
	for i, d := range x.dials {
		counts[d.target.Cluster] += len(x.take(x.up(i)))
	}
	if counts["a"] != 200 || counts["b"] != 800 {
		t.Error(counts)
	}
}

func TestOneConnectionIsSpreadOverEndpointsAlsoAfterScaleUp(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, toA)
		c := x.client()
		id := uint32(0)
		run := func() map[string]int {
			counts := map[string]int{}
			for range 300 {
				id++
				x.send(c, request(id, "m"))
				for i := range x.dials {
					if up := x.up(i); len(up.got) > 0 {
						counts[up.target.Endpoint.Addr.String()]++
						x.send(up, replyTo(x.take(up)[0]))
					}
				}
			}
			return counts
		}
		if n := run(); len(n) != 1 {
			t.Error(n)
		}
		x.setEndpoints("a", 1, 2, 3)
		if n := run(); len(n) != 3 || n["127.0.0.1:1"] != 100 {
			t.Error(n)
		}
		if len(x.take(c)) != 600 {
			t.Error("replies were lost")
		}
	}
}

func TestRemovedEndpointsFinishAndClose(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, toA)
		c := x.client()
		x.send(c, request(1, "m"))
		old := x.up(0)
		x.setEndpoints("a", 5)
		x.send(c, request(2, "m")) // pipelined behind the first: its own connection if leased
		x.send(old, replyTo(x.take(old)[0]))
		for i := range x.dials {
			for _, m := range x.take(x.dials[i]) {
				x.send(x.dials[i], replyTo(m))
			}
		}
		x.up(len(x.dials) - 1)
		last := x.dials[len(x.dials)-1]
		for _, m := range x.take(last) {
			x.send(last, replyTo(m))
		}
		if r := x.take(c); len(r) != 2 || !old.closed || last.target.Endpoint.Addr.Port() != 5 {
			t.Errorf("%d replies, old closed %v", len(r), old.closed)
		}
		x.checkIdle()
	}
}

func TestRoutesChangeUnderRequestsInFlight(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	a := x.up(0)
	piece := request(2, "m")
	x.send(c, piece[:10])
	x.configure(`{"routes":[{"name":"b","clusters":[{"name":"b","weight":1}]}]}`)
	x.send(c, piece[10:])
	b := x.up(1)
	if len(x.take(b)) != 1 || x.dials[1].target.Cluster != "b" {
		t.Fatal("the new route is not in force")
	}
	x.send(a, replyTo(x.take(a)[0]))
	if r := x.take(c); len(r) != 1 || r[0].ID != 1 {
		t.Fatalf("%+v", r)
	}
	if !a.closed {
		t.Error("the connection of a cluster that no route names is kept")
	}
}

func TestMutationAndMirror(t *testing.T) {
	x := newWorld(t, parallel(), `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"filters":[
		{"name":"mutation","config":{"request":[{"property":"tag","value":"canary"}],"response":[{"property":"tag","value":"from a"}]}},
		{"name":"mirror","config":{"cluster":"b"}}]}]}`)
	c := x.client()
	x.send(c, request(9, "m"))
	a, b := x.up(0), x.up(1)
	got, copied := x.take(a), x.take(b)
	if len(got) != 1 || got[0].Tag != "canary" || len(copied) != 1 || copied[0].Tag != "canary" || string(copied[0].Payload) != "payload 9" {
		t.Fatalf("%+v, copy %+v", got, copied)
	}
	x.send(b, replyTo(copied[0]))
	if r := x.take(c); len(r) != 0 {
		t.Fatalf("the copy's reply reached the client: %+v", r)
	}
	x.send(a, replyTo(got[0]))
	if r := x.take(c); len(r) != 1 || r[0].Tag != "from a" || r[0].ID != 9 {
		t.Fatalf("%+v", r)
	}
	x.checkIdle()
	if x.w.events[MirrorSent] != 1 || x.w.events[LateReply] != 0 || x.results()[ServedOK] != 1 {
		t.Errorf("events %v, results %v", x.w.events, x.results())
	}
}

func TestMirrorFailureIsInvisible(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"filters":[{"name":"mirror","config":{"cluster":"b"}}]}]}`)
		c := x.client()
		x.send(c, request(1, "m"))
		x.turn(func() { x.dials[1].closed = true; x.w.Closed(x.dials[1].id, ConnectFailed) })
		x.setEndpoints("b")
		x.send(c, request(2, "m"))
		a := x.up(0)
		for _, m := range x.take(a) {
			x.send(a, replyTo(m))
		}
		if r := x.take(c); len(r) != 2 || r[0].Tag == "local" || r[1].Tag == "local" || x.w.events[MirrorFailed] != 2 {
			t.Errorf("%+v, %d failures", r, x.w.events[MirrorFailed])
		}
		x.checkIdle()
	}
}

func TestHeartbeats(t *testing.T) {
	p := parallel()
	p.T.HeartbeatInterval = time.Second
	x := newWorld(t, p, toA)
	c := x.client()
	x.send(c, toy.Append(nil, codec.Heartbeat, 0, 3, 0, "", "", nil))
	if r := x.take(c); len(r) != 1 || r[0].Kind != codec.HeartbeatReply || r[0].ID != 3 || len(x.dials) != 0 {
		t.Fatalf("%+v", r)
	}
	x.send(c, request(1, "m"))
	up := x.up(0)
	x.send(up, replyTo(x.take(up)[0]))
	x.send(up, toy.Append(nil, codec.Heartbeat, 0, 8, 0, "", "", nil))
	if r := x.take(up); len(r) != 1 || r[0].Kind != codec.HeartbeatReply || r[0].ID != 8 {
		t.Fatalf("%+v", r)
	}
	x.later(1100 * time.Millisecond)
	if r := x.take(up); len(r) != 1 || r[0].Kind != codec.Heartbeat {
		t.Fatalf("%+v", r)
	}
	x.send(up, toy.Append(nil, codec.HeartbeatReply, 0, 1, 0, "", "", nil))
	x.later(5 * time.Second)
	if !up.closed || x.w.events[HeartbeatMissed] != 1 {
		t.Error("a server that does not answer heartbeats is kept")
	}
}

func TestGoAwayRetiresTheConnection(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, request(1, "m"))
	up := x.up(0)
	x.send(up, toy.Append(nil, codec.GoAway, 0, 0, 0, "", "", nil))
	x.send(c, request(2, "m"))
	if len(x.dials) != 2 {
		t.Fatal("a request was sent on a connection that asked for none")
	}
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(c); len(r) != 1 || !up.closed {
		t.Errorf("%+v, closed %v", r, up.closed)
	}
}

func TestAServerThatLeavesIsSpared(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	x.setEndpoints("a", 9000, 9001)
	c := x.client()
	x.send(c, request(1, "m"))
	x.send(c, request(2, "m"))
	leaving, staying := x.up(0), x.up(1)
	x.send(leaving, toy.Append(nil, codec.GoAway, 0, 0, 0, "", "", nil))
	x.take(staying)
	for id := uint32(3); id < 7; id++ {
		x.send(c, request(id, "m"))
	}
	if r := x.take(staying); len(r) != 4 || len(x.dials) != 2 {
		t.Errorf("%d of 4 requests went to the server that stays, %d connections were made", len(r), len(x.dials))
	}
	x.later(leaveQuiet)
	x.send(c, request(7, "m"))
	x.send(c, request(8, "m"))
	if len(x.dials) != 3 {
		t.Error("a server that came back is not taken again")
	}
}

func TestTruncatedMessage(t *testing.T) {
	whole := request(2, "m")
	for n := range whole {
		for _, how := range []How{Half, Clean, Abort} {
			x := newWorld(t, parallel(), toA)
			c := x.client()
			x.send(c, request(1, "m"))
			x.send(c, whole[:n])
			x.turn(func() { x.w.Closed(c.id, how) })
			if got := x.w.events[TruncatedMessage] == 1; got != (n > 0) {
				t.Errorf("%d of %d bytes, then %v: told %v", n, len(whole), how, got)
			}
			if how != Half {
				continue
			}
			x.send(x.up(0), replyTo(x.take(x.up(0))[0]))
			if r := x.take(c); len(r) != 1 {
				t.Errorf("%d of %d bytes, then %v: the request before has %d replies", n, len(whole), how, len(r))
			}
		}
	}
}

func TestDrain(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	busy, idle := x.client(), x.client()
	x.send(busy, request(1, "m"))
	up := x.up(0)
	x.turn(x.w.Drain)
	for _, c := range []*link{busy, idle} {
		if r := x.take(c); len(r) != 1 || r[0].Kind != codec.GoAway {
			t.Fatalf("%+v", r)
		}
	}
	x.send(busy, request(2, "late but served"))
	for _, m := range x.take(up) {
		x.send(up, replyTo(m))
	}
	if r := x.take(busy); len(r) != 2 {
		t.Fatalf("%+v", r)
	}
	x.later(drainQuiet + time.Second)
	if !busy.closed || !idle.closed || x.w.Clients() != 0 {
		t.Error("clients are left")
	}
}

func TestPinnedConnectionCarriesPushesBothWays(t *testing.T) {
	x := newWorld(t, parallel(), toA)
	c := x.client()
	x.send(c, request(1, "plain"))
	x.send(c, toy.Append(nil, codec.Request, toy.FlagPin, 2, 0, "subscribe", "", nil))
	if len(x.dials) != 2 {
		t.Fatal("no connection of its own")
	}
	up := x.up(1)
	x.send(up, replyTo(x.take(up)[0]))
	x.send(up, toy.Append(nil, codec.Push, 0, 77, 0, "news", "", nil))
	r := x.take(c)
	if len(r) != 2 || r[0].ID != 2 || r[1].Kind != codec.Push || r[1].Method != "news" {
		t.Fatalf("%+v", r)
	}
	x.send(c, toy.Append(nil, codec.Reply, 0, r[1].ID, 0, "news", "", nil))
	if got := x.take(up); len(got) != 1 || got[0].ID != 77 || got[0].Kind != codec.Reply {
		t.Fatalf("%+v", got)
	}
	x.turn(func() { c.closed = true; x.w.Closed(c.id, Abort) })
	if !up.closed || x.dials[0].closed {
		t.Error("the pinned connection stays, or the shared one went")
	}
}

func TestOverflowAndConnectionLimit(t *testing.T) {
	x := newWorld(t, parallel(), toA, func(l *Listener) { l.Limits.Requests = 2; l.Limits.Connections = 1 })
	c := x.client()
	x.send(c, append(append(request(1, "m"), request(2, "m")...), request(3, "m")...))
	if r := x.take(c); len(r) != 1 || r[0].ID != 3 || cause(r[0]) != codec.Overflow {
		t.Errorf("%+v", r)
	}
	if c2 := x.client(); !c2.closed || x.w.events[ConnectionRefused] != 1 {
		t.Error("the second connection was accepted")
	}
	x.turn(func() { c.closed = true; x.w.Closed(c.id, Clean) })
	if c3 := x.client(); c3.closed {
		t.Error("a place was not given back")
	}
}

func TestIdleClientsAreClosed(t *testing.T) {
	x := newWorld(t, inOrder(), toA, func(l *Listener) { l.IdleTimeout = time.Minute })
	idle, busy := x.client(), x.client()
	x.send(busy, request(1, "m"))
	x.later(61 * time.Second)
	if !idle.closed || busy.closed {
		t.Errorf("idle closed %v, busy closed %v", idle.closed, busy.closed)
	}
}

func TestOneByteAtATimeIsGivenUp(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	b := toy.Append(nil, codec.Request, 0, 1, 0, "m", "", make([]byte, 1000))
	for i := range b[:70] {
		x.send(c, b[i:i+1])
		x.later(time.Second)
		if c.closed {
			return
		}
	}
	t.Error("after 70 seconds the client is still there")
}

func TestPanicEndsOneConnectionOnly(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	bad, good := x.client(), x.client()
	x.w.find(bad.id).dec = nil
	x.send(bad, request(1, "m"))
	x.send(good, request(2, "m"))
	up := x.up(len(x.dials) - 1)
	x.send(up, replyTo(x.take(up)[0]))
	if r := x.take(good); len(r) != 1 || !bad.closed || x.w.events[Panic] != 1 {
		t.Errorf("%+v, bad closed %v, events %v", r, bad.closed, x.w.events)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		x := newWorld(t, p, byMethod)
		c := x.client()
		b := request(1, "a")
		x.send(c, b)
		up := x.up(0)
		reply := make([]byte, 0, 4096)
		frame := make([]byte, 0, 4096)
		once := func() {
			x.w.Wake(x.now)
			frame = append(frame[:0], b...)
			x.w.Readable(c.id, frame)
			x.w.Flush(x.now)
			reply = append(reply[:0], up.got...)
			up.got = up.got[:0]
			reply[2] = byte(codec.Reply)
			x.w.Readable(up.id, reply)
			x.w.Flush(x.now)
			c.got = c.got[:0]
		}
		x.send(up, replyTo(x.take(up)[0]))
		x.take(c)
		for range 100 {
			once()
		}
		if n := testing.AllocsPerRun(1000, once); n > 0 {
			t.Errorf("%s: %v allocations per request", fmt.Sprint(p.T.Parallel), n)
		}
		x.checkIdle()
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, p := range []*toy.Protocol{inOrder(), parallel()} {
		b.Run(fmt.Sprint("parallel=", p.T.Parallel), func(b *testing.B) {
			x := newWorld(&testing.T{}, p, byMethod)
			c := x.client()
			msg := request(1, "a")
			x.send(c, msg)
			up := x.up(0)
			x.send(up, replyTo(x.take(up)[0]))
			x.take(c)
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				x.w.Wake(x.now)
				x.w.Readable(c.id, buf[:copy(buf, msg)])
				x.w.Flush(x.now)
				n := copy(buf, up.got)
				up.got = up.got[:0]
				buf[2] = byte(codec.Reply)
				x.w.Readable(up.id, buf[:n])
				x.w.Flush(x.now)
				c.got = c.got[:0]
			}
		})
	}
}

func TestRequestsWithoutReplyAreRecognised(t *testing.T) {
	p := inOrder()
	p.T.SilentRequests = true
	x := newWorld(t, p, `{"routes":[{"name":"r","clusters":[{"name":"a","weight":1}],"timeout":"1s"}]}`)
	c := x.client()
	x.send(c, append(append(request(1, "tell"), request(2, "tell")...), request(3, "ask")...))
	up := x.up(0)
	got := x.take(up)
	x.send(up, replyTo(got[2]))
	if r := x.take(c); len(r) != 1 || r[0].ID != 3 {
		t.Fatalf("%+v", r)
	}
	x.checkIdle()
	x.send(c, request(4, "tell"))
	x.later(2 * time.Second)
	if r := x.take(c); len(r) != 0 || x.results()[OnewaySent] != 3 {
		t.Fatalf("%+v, %v", r, x.results())
	}
	x.checkIdle()
}

func TestRepliesOutOfOrderBreakAnOrderedConnection(t *testing.T) {
	x := newWorld(t, inOrder(), toA)
	c := x.client()
	x.send(c, append(request(1, "a"), request(2, "b")...))
	up := x.up(0)
	x.send(up, replyTo(x.take(up)[1]))
	if r := x.take(c); len(r) != 2 || cause(r[0]) != codec.BadReply || cause(r[1]) != codec.BadReply || !up.closed {
		t.Fatalf("%+v", r)
	}
}
