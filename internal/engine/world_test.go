package engine

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filters/mirror"
	"github.com/aeraki-mesh/aeraki/filters/mutation"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// world is a worker on a driver that does what the test says and nothing else:
// bytes arrive when the test passes them, connections open when it says so.
type world struct {
	t        *testing.T
	w        *Worker
	now      time.Duration
	proto    codec.Protocol
	conns    []*link
	dials    []*link // connections that the worker asked for, in order
	clusters map[string]*testCluster
	listener Listener
}

// link is a connection as the test sees it.
type link struct {
	id      ConnID
	target  Target
	got     []byte // what the worker wrote
	room    int    // bytes that it may still write
	unread  []byte // what the worker did not consume
	reading bool
	opened  bool
	closed  bool
	how     How
}

type testCluster struct {
	set      *EndpointSet
	outcomes [3]int
}

func (c *testCluster) Endpoints() *EndpointSet    { return c.set }
func (c *testCluster) Report(_ ConnID, o Outcome) { c.outcomes[o]++ }

func (x *world) Write(id ConnID, bufs [][]byte) (n int) {
	c := x.conns[id.Index()]
	if c.closed {
		x.t.Errorf("write to closed connection %d", id)
	}
	for _, b := range bufs {
		k := min(len(b), c.room)
		c.got = append(c.got, b[:k]...)
		c.room -= k
		n += k
	}
	return n
}
func (x *world) SetReading(id ConnID, on bool) { x.conns[id.Index()].reading = on }
func (x *world) Close(id ConnID, how How) {
	c := x.conns[id.Index()]
	if c.closed {
		x.t.Errorf("connection %d closed twice", id)
	}
	c.closed, c.how = true, how
}
func (x *world) Connect(t Target) ConnID {
	c := x.open()
	c.target = t
	x.dials = append(x.dials, c)
	return c.id
}
func (x *world) Cluster(name string) Cluster {
	if x.clusters[name] == nil {
		x.clusters[name] = &testCluster{set: &EndpointSet{}}
	}
	return x.clusters[name]
}

func (x *world) open() *link {
	c := &link{id: MakeConnID(uint32(len(x.conns)), 1), room: 1 << 40, reading: true}
	x.conns = append(x.conns, c)
	return c
}

func testFilters() []filter.Filter { return []filter.Filter{mutation.Filter{}, mirror.Filter{}} }

// newWorld configures listener "l" with routes in JSON; clusters a, b and c
// have one endpoint each.
func newWorld(t *testing.T, p codec.Protocol, routes string, change ...func(*Listener)) *world {
	x := &world{t: t, proto: p, clusters: map[string]*testCluster{}, now: time.Second}
	for i, name := range []string{"a", "b", "c"} {
		x.setEndpoints(name, 9000+100*i)
	}
	x.w = NewWorker(Options{Driver: x, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Shared: NewShared(), Seed: 7})
	x.listener = Listener{Name: "l", Protocol: p, Limits: DefaultLimits()}
	for _, f := range change {
		f(&x.listener)
	}
	x.configure(routes)
	return x
}

func (x *world) setEndpoints(cluster string, ports ...int) {
	set := &EndpointSet{Known: true}
	for _, p := range ports {
		set.Endpoints = append(set.Endpoints, &Endpoint{Weight: 1, Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p))})
	}
	x.Cluster(cluster).(*testCluster).set = set
}

const toA = `{"routes":[{"name":"a","clusters":[{"name":"a","weight":1}]}]}`

func (x *world) configure(routes string) {
	x.t.Helper()
	rc := &proxyv1.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(routes), rc); err != nil {
		x.t.Fatal(err)
	}
	table, err := route.Compile(rc, route.Options{Protocol: x.proto, Filters: testFilters()})
	if err != nil {
		x.t.Fatal(err)
	}
	l := x.listener
	l.Routes = table
	x.w.Configure(&Config{Listeners: []*Listener{&l}})
}

// turn is one iteration of the driver.
func (x *world) turn(events func()) {
	x.w.Wake(x.now)
	if events != nil {
		events()
	}
	x.w.Flush(x.now)
}

func (x *world) later(d time.Duration) {
	for end := x.now + d; x.now < end; {
		next := x.w.timers.next()
		x.now = min(max(next, x.now+1), end)
		x.turn(nil)
	}
}

func (x *world) client() *link {
	c := x.open()
	x.turn(func() { x.w.Opened(c.id, ConnInfo{Listener: "l"}) })
	return c
}

// up opens the n-th connection that the worker asked for.
func (x *world) up(n int) *link {
	x.t.Helper()
	if n >= len(x.dials) {
		x.t.Fatalf("the worker made %d connections, the test wants the %dth", len(x.dials), n)
	}
	if c := x.dials[n]; !c.opened && !c.closed {
		c.opened = true
		x.turn(func() { x.w.Opened(c.id, ConnInfo{}) })
	}
	return x.dials[n]
}

// send lets b arrive on c.
func (x *world) send(c *link, b []byte) {
	x.turn(func() { x.arrive(c, b) })
}

func (x *world) arrive(c *link, b []byte) {
	c.unread = append(c.unread, b...)
	if len(c.unread) > 0 && c.reading && !c.closed {
		scratch := append([]byte(nil), c.unread...) // the driver's own memory
		n := x.w.Readable(c.id, scratch)
		c.unread = c.unread[n:]
		for i := range scratch {
			scratch[i] = 0xdb // and not the worker's afterwards
		}
	}
}

// take returns the messages that the worker wrote to c since the last call.
func (x *world) take(c *link) (all []toy.Message) {
	x.t.Helper()
	for len(c.got) > 0 {
		m, n, err := toy.Parse(c.got)
		if err != nil || n == 0 {
			x.t.Fatalf("the worker wrote %q: %v", c.got, err)
		}
		all = append(all, m)
		c.got = c.got[n:]
	}
	return all
}

func request(id uint32, method string) []byte {
	return toy.Append(nil, codec.Request, 0, id, 0, method, "", []byte(fmt.Sprint("payload ", id)))
}

// replyTo answers a request that an upstream got.
func replyTo(m toy.Message) []byte {
	return toy.Append(nil, codec.Reply, 0, m.ID, 0, m.Method, m.Tag, m.Payload)
}

// checkIdle fails if anything is left of the requests.
func (x *world) checkIdle() {
	x.t.Helper()
	if x.w.live != 0 || x.w.pending != 0 {
		x.t.Errorf("%d requests in flight and %d bytes pending are left", x.w.live, x.w.pending)
	}
}

func (x *world) results() (r [Results]uint64) {
	for _, s := range x.w.seriesOrder {
		for i, n := range s.Requests {
			r[i] += n
		}
	}
	return r
}

func cause(m toy.Message) codec.Cause {
	if m.Tag != "local" {
		return 255
	}
	return codec.Cause(m.Payload[0])
}

func number(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
