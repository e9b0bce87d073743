package xdsserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
)

const (
	clusters  = "type.example/Cluster"
	endpoints = "type.example/Endpoints"
	routes    = "type.example/Routes"
	listeners = "type.example/Listener"
)

// serve runs a server until the test ends.
func serve(t *testing.T, address string) (*xdsserver.Server, net.Addr) {
	t.Helper()
	s := xdsserver.New(xdsserver.Types{Clusters: clusters, Endpoints: endpoints, Routes: routes, Listeners: listeners}, slog.New(slog.DiscardHandler))
	l, err := xdsserver.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s, l.Addr()
}

// view makes a view of "type name version" lines; "!" before the name: the
// proxy's own; "~": withheld.
func view(lines ...string) *xdsserver.View {
	v := &xdsserver.View{Version: strings.Join(lines, ";"), Shared: xdsserver.Resources{}}
	own := xdsserver.Resources{}
	withheld := map[string]string{}
	for _, l := range lines {
		f := strings.Fields(l)
		typeURL := map[string]string{"c": clusters, "e": endpoints, "r": routes, "l": listeners}[f[0]]
		body := &anypb.Any{TypeUrl: typeURL, Value: []byte(f[2])}
		switch name := f[1]; name[0] {
		case '!':
			own.Add(name[1:], f[2], body)
		case '~':
			withheld[name[1:]] = "the proxy cannot"
			v.Shared.Add(name[1:], f[2], body)
		default:
			v.Shared.Add(name, f[2], body)
		}
	}
	v.For = func(n *corev3.Node) (xdsserver.ForProxy, error) {
		if n.Id == "unwanted" {
			return xdsserver.ForProxy{}, fmt.Errorf("node %q is unwanted", n.Id)
		}
		return xdsserver.ForProxy{Own: own, Withheld: withheld}, nil
	}
	return v
}

func wantSent(t *testing.T, c *adstest.Client, want ...string) {
	t.Helper()
	if got := c.Sent(); !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

// waitStatus waits until the proxy's status is as it should be.
func waitStatus(t *testing.T, s *xdsserver.Server, node, what string, ok func(xdsserver.ProxyStatus) bool) xdsserver.ProxyStatus {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var last []xdsserver.ProxyStatus
		for _, p := range s.Status() {
			if p.Node == node {
				if ok(p) {
					return p
				}
				last = append(last, p)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not %s: %+v", node, what, last)
		}
		time.Sleep(time.Millisecond)
	}
}

func synced(p xdsserver.ProxyStatus) bool { return p.Synced && p.Disconnected.IsZero() }

func TestNothingIsServedBeforeTheFirstView(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(routes, "r1")
	waitStatus(t, s, "p", "connected", func(xdsserver.ProxyStatus) bool { return true })
	wantSent(t, c)
	s.Publish(view("r r1 1"))
	c.WaitFor(routes, "r1")
}

func TestOnlySubscribersGetAPush(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("r r1 1", "r r2 1"))
	one := adstest.Dial(t, addr, "one", nil)
	two := adstest.Dial(t, addr, "two", nil)
	one.Subscribe(routes, "r1")
	two.Subscribe(routes, "r2")
	one.WaitFor(routes, "r1")
	two.WaitFor(routes, "r2")
	s.Publish(view("r r1 2", "r r2 1"))
	one.WaitChange(routes, "r1", "1")
	waitStatus(t, s, "two", "synced with the new view", func(p xdsserver.ProxyStatus) bool { return synced(p) && p.View == "r r1 2;r r2 1" })
	wantSent(t, one, "+r1", "+r1")
	wantSent(t, two, "+r2")
}

func TestWildcardIsAnsweredAndFollowed(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("l shared 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(listeners)
	// Nothing of its own: the empty answer tells that this is all.
	waitStatus(t, s, "p", "answered", func(p xdsserver.ProxyStatus) bool { return synced(p) && p.Pushes == 1 })
	s.Publish(view("l !a 1", "l !b 1"))
	c.WaitFor(listeners, "b")
	s.Publish(view("l !b 1"))
	c.WaitGone(listeners, "a")
	wantSent(t, c, "+a", "+b", "-a")
}

func TestWhatIsNotThereIsTold(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c there 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(clusters, "gone", "there")
	c.WaitGone(clusters, "gone")
	s.Publish(view("c there 1", "c gone 1"))
	c.WaitFor(clusters, "gone")
	wantSent(t, c, "+there", "-gone", "+gone")
}

func TestARefusalIsRecordedAndNotRepeated(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("r r1 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(routes, "r1")
	c.WaitFor(routes, "r1")
	c.Refuse(routes, "unknown field 9")
	s.Publish(view("r r1 2"))
	p := waitStatus(t, s, "p", "refused", func(p xdsserver.ProxyStatus) bool {
		return len(p.Types) == 1 && len(p.Types[0].Resources) == 1 && p.Types[0].Resources[0].Refused != nil
	})
	got := p.Types[0].Resources[0]
	if got.Acked != "1" || got.Sent != "2" || *got.Refused != (xdsserver.Refusal{Version: "2", Error: "unknown field 9"}) || p.Synced {
		t.Errorf("status is %+v, synced %v", got, p.Synced)
	}
	// Another view with the same content is no reason to send it again.
	s.Publish(view("r r1 2", "c other 1"))
	c.Subscribe(clusters, "other")
	c.WaitFor(clusters, "other")
	c.Refuse(routes, "")
	s.Publish(view("r r1 3", "c other 1"))
	c.WaitChange(routes, "r1", "1")
	waitStatus(t, s, "p", "synced", synced)
	wantSent(t, c, "+r1", "+r1", "+other", "+r1")
}

func TestOnePushInFlight(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("r r1 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Hold(routes)
	c.Subscribe(routes, "r1")
	c.WaitFor(routes, "r1")
	for i := 2; i <= 50; i++ {
		s.Publish(view(fmt.Sprintf("r r1 %d", i)))
	}
	c.Subscribe(endpoints, "none") // is answered: the stream has seen the views
	c.WaitGone(endpoints, "none")
	wantSent(t, c, "+r1", "-none")
	c.Release(routes)
	c.WaitChange(routes, "r1", "1")
	waitStatus(t, s, "p", "synced", synced)
	if v := c.Version(routes, "r1"); v != "50" {
		t.Errorf("the version is %s, want 50", v)
	}
	wantSent(t, c, "+r1", "-none", "+r1")
}

// A cluster goes away only after the routes that named it have gone; a new one
// comes before the routes that name it.
func TestOrderWithinAChange(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c old 1", "r r1 1", "l !l1 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(listeners)
	c.WaitFor(listeners, "l1")
	c.Subscribe(routes, "r1")
	c.WaitFor(routes, "r1")
	c.Subscribe(clusters, "old", "new")
	c.WaitFor(clusters, "old")
	c.WaitGone(clusters, "new")
	waitStatus(t, s, "p", "synced", synced)
	before := len(c.Sent())

	c.Hold(routes)
	s.Publish(view("c new 1", "r r1 2", "l !l1 2"))
	c.WaitFor(clusters, "new")
	c.WaitChange(routes, "r1", "1")
	c.WaitChange(listeners, "l1", "1")
	c.Subscribe(endpoints, "none")
	c.WaitGone(endpoints, "none")
	if got, want := c.Sent()[before:], []string{"+new", "+r1", "+l1", "-none"}; !slices.Equal(got, want) {
		t.Fatalf("sent %v, want %v: the routes are not taken yet", got, want)
	}
	c.Release(routes)
	c.WaitGone(clusters, "old")
	waitStatus(t, s, "p", "synced", synced)
}

func TestARefusedRouteKeepsItsCluster(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c old 1", "r r1 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(routes, "r1")
	c.WaitFor(routes, "r1")
	c.Subscribe(clusters, "old")
	c.WaitFor(clusters, "old")
	c.Refuse(routes, "no")
	s.Publish(view("r r1 2"))
	waitStatus(t, s, "p", "refused", func(p xdsserver.ProxyStatus) bool { return len(p.Types) == 2 && p.Types[1].Resources[0].Refused != nil })
	c.Subscribe(endpoints, "none")
	c.WaitGone(endpoints, "none")
	if !slices.Equal(c.Names(clusters), []string{"old"}) {
		t.Errorf("clusters are %v: the routes in force name old", c.Names(clusters))
	}
	c.Refuse(routes, "")
	s.Publish(view("r r1 3"))
	c.WaitGone(clusters, "old")
}

func TestWithheldIsNeitherSentNorTakenAway(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("r r1 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(routes, "r1", "r2")
	c.WaitFor(routes, "r1")
	c.WaitGone(routes, "r2")
	s.Publish(view("r ~r1 2", "r ~r2 1"))
	c.Subscribe(endpoints, "none")
	c.WaitGone(endpoints, "none")
	wantSent(t, c, "+r1", "-r2", "-none")
	p := waitStatus(t, s, "p", "withheld", func(p xdsserver.ProxyStatus) bool { return len(p.Types) == 2 })
	if got := p.Types[1].Resources[0]; got.Withheld == "" || got.Acked != "1" {
		t.Errorf("status is %+v", got)
	}
}

func TestWhoComesBackIsSentWhatChanged(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c a 1", "c b 2", "l !x 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Resume(clusters, map[string]string{"a": "1", "b": "1", "gone": "1"}, "a", "b", "gone")
	c.Resume(listeners, map[string]string{"x": "1", "y": "1"})
	c.WaitChange(clusters, "b", "1")
	c.WaitGone(clusters, "gone")
	c.WaitGone(listeners, "y")
	wantSent(t, c, "+b", "-gone", "-y")
	p := waitStatus(t, s, "p", "synced", synced)
	if got := p.Types[0].Resources[0]; got.Name != "a" || got.Acked != "1" {
		t.Errorf("what it has is %+v", got)
	}
}

func TestUnsubscribe(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c a 1", "c b 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(clusters, "a", "b")
	c.WaitFor(clusters, "b")
	c.Unsubscribe(clusters, "a")
	waitStatus(t, s, "p", "rid of a", func(p xdsserver.ProxyStatus) bool { return synced(p) && len(p.Types[0].Resources) == 1 })
	s.Publish(view("c a 2", "c b 2"))
	c.WaitChange(clusters, "b", "1")
	wantSent(t, c, "+a", "+b", "+b")
}

// The client of xDS may have dropped what it subscribes to again.
func TestWhoSubscribesAgainIsSentItAgain(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view("c a 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(clusters, "a")
	c.WaitFor(clusters, "a")
	c.Unsubscribe(clusters, "a")
	c.Subscribe(clusters, "a")
	c.Subscribe(endpoints, "none")
	c.WaitGone(endpoints, "none")
	waitStatus(t, s, "p", "synced", synced)
	wantSent(t, c, "+a", "+a", "-none")
}

func TestABadStreamIsClosedWithTheReason(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	s.Publish(view())
	unknown := adstest.Dial(t, addr, "p", nil)
	unknown.Subscribe("type.example/Unknown", "x")
	unwanted := adstest.Dial(t, addr, "unwanted", nil)
	unwanted.Subscribe(clusters, "x")
	for c, want := range map[*adstest.Client]string{unknown: "is not served here", unwanted: "is unwanted"} {
		if err := c.WaitError(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("the stream ended with %v, want %q", err, want)
		}
	}
	p := waitStatus(t, s, "p", "disconnected", func(p xdsserver.ProxyStatus) bool { return !p.Disconnected.IsZero() })
	if p.Node != "p" {
		t.Errorf("status is %+v", p)
	}
}

func TestAThousandServices(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf("r r%d 1", i)
	}
	s.Publish(view(lines...))
	proxies := make([]*adstest.Client, 50)
	for i := range proxies {
		proxies[i] = adstest.Dial(t, addr, fmt.Sprintf("p%d", i), nil)
		proxies[i].Subscribe(routes, fmt.Sprintf("r%d", i*20), fmt.Sprintf("r%d", i*20+1))
		proxies[i].WaitFor(routes, fmt.Sprintf("r%d", i*20))
	}
	lines[40] = "r r40 2"
	changed := view(lines...)
	s.Publish(changed)
	proxies[2].WaitChange(routes, "r40", "1")
	for i, c := range proxies {
		waitStatus(t, s, fmt.Sprintf("p%d", i), "synced", func(p xdsserver.ProxyStatus) bool { return synced(p) && p.View == changed.Version })
		want := 2
		if i == 2 {
			want = 3
		}
		if got := c.Sent(); len(got) != want {
			t.Errorf("p%d was sent %v", i, got)
		}
	}
}

func TestListen(t *testing.T) {
	// Long names of temporary folders do not fit a socket's address.
	dir, err := os.MkdirTemp("", "ads")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "ads.sock")

	s, addr := serve(t, "unix:"+path)
	s.Publish(view("c a 1"))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(clusters, "a")
	c.WaitFor(clusters, "a")
	for address, want := range map[string]string{
		"unix:" + path:    "somebody else serves",
		"unix:" + dir:     "is no socket",
		"0.0.0.0:0":       "is not loopback",
		"localhost:15010": "neither unix:/path nor address:port",
	} {
		if l, err := xdsserver.Listen(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", address, l, err, want)
		}
	}

	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := xdsserver.Listen("unix:" + stale)
	if err != nil {
		t.Fatalf("a socket that nobody listens on: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
