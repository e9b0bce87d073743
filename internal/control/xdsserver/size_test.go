package xdsserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
)

const mebibyte = 1 << 20

// large is n resources of a type with bodies of so many bytes.
func large(to xdsserver.Resources, typeURL, version string, n, bytes int) (names []string) {
	for i := range n {
		name := fmt.Sprintf("%s-%04d.demo.svc.cluster.local", strings.ToLower(typeURL[len("type.example/"):]), i)
		to.Add(name, version, &anypb.Any{TypeUrl: typeURL, Value: []byte(strings.Repeat("x", bytes))})
		names = append(names, name)
	}
	return names
}

func viewOf(version string, shared, own xdsserver.Resources) *xdsserver.View {
	return &xdsserver.View{Version: version, Shared: shared, For: func(*corev3.Node) (xdsserver.ForProxy, error) {
		return xdsserver.ForProxy{Own: own}, nil
	}}
}

// wantSizes checks that each response is within the limit and none is wasted:
// all but the last of a run of the same type hold more than half of it.
func wantSizes(t *testing.T, c *adstest.Client, typeURL string, least int) {
	t.Helper()
	var sizes []int
	for _, r := range c.Responses(typeURL) {
		n := proto.Size(r)
		sizes = append(sizes, n)
		if n > mebibyte {
			t.Errorf("a response of %s has %d bytes", typeURL, n)
		}
	}
	if len(sizes) < least {
		t.Fatalf("%s came in %d responses, want at least %d", typeURL, len(sizes), least)
	}
	for _, n := range sizes[:len(sizes)-1] {
		if n < mebibyte/2 {
			t.Errorf("responses of %s have %v bytes", typeURL, sizes)
		}
	}
}

func TestAThousandListenersComeInParts(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	own := xdsserver.Resources{}
	names := large(own, listeners, "1", 1000, 6000)
	s.Publish(viewOf("1", xdsserver.Resources{}, own))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(listeners)
	waitStatus(t, s, "p", "synced", synced)
	if got := c.Names(listeners); !slices.Equal(got, names) {
		t.Fatalf("got %d listeners, want %d", len(got), len(names))
	}
	wantSizes(t, c, listeners, 4)

	// They go away in as many bytes as their names have: one response.
	s.Publish(viewOf("2", xdsserver.Resources{}, xdsserver.Resources{}))
	waitStatus(t, s, "p", "rid of them", func(p xdsserver.ProxyStatus) bool { return synced(p) && p.View == "2" })
	if got := c.Names(listeners); len(got) > 0 {
		t.Errorf("%d listeners are left", len(got))
	}
}

// One part is in flight at a time, and what names the clusters waits for the
// last of them.
func TestPartsKeepTheOrder(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	shared := xdsserver.Resources{}
	names := large(shared, clusters, "1", 30, 100_000)
	shared.Add("r1", "1", &anypb.Any{TypeUrl: routes})
	c := adstest.Dial(t, addr, "p", nil)
	c.Hold(clusters)
	c.Subscribe(clusters, names...)
	c.Subscribe(routes, "r1")
	c.Subscribe(endpoints, "none")
	waitStatus(t, s, "p", "subscribed", func(xdsserver.ProxyStatus) bool { return true })
	s.Publish(viewOf("1", shared, nil))
	c.WaitFor(clusters, names[0])
	first := len(c.Names(clusters))
	if first >= len(names) || first == 0 {
		t.Fatalf("the first part has %d of %d", first, len(names))
	}
	c.WaitGone(endpoints, "none")
	c.Unsubscribe(endpoints, "none")
	c.Subscribe(endpoints, "other") // is answered: the stream has gone on
	c.WaitGone(endpoints, "other")
	if got := len(c.Names(clusters)); got != first || len(c.Names(routes)) > 0 {
		t.Fatalf("with the first part in flight there are %d clusters and the routes %v", got, c.Names(routes))
	}
	c.Release(clusters)
	c.WaitFor(routes, "r1")
	if got := c.Names(clusters); !slices.Equal(got, names) {
		t.Errorf("the routes came when %d of %d clusters had", len(got), len(names))
	}
	wantSizes(t, c, clusters, 3)
}

// A resource that is larger than any response comes alone.
func TestALargeClusterComesAlone(t *testing.T) {
	s, addr := serve(t, "127.0.0.1:0")
	shared := xdsserver.Resources{}
	names := append(large(shared, endpoints, "1", 3, 1000), "z-large")
	shared.Add("z-large", "1", &anypb.Any{TypeUrl: endpoints, Value: make([]byte, 2*mebibyte)})
	s.Publish(viewOf("1", shared, nil))
	c := adstest.Dial(t, addr, "p", nil)
	c.Subscribe(endpoints, names...)
	c.WaitFor(endpoints, "z-large")
	waitStatus(t, s, "p", "synced", synced)
	var counts []int
	for _, r := range c.Responses(endpoints) {
		counts = append(counts, len(r.Resources))
	}
	if !slices.Equal(counts, []int{3, 1}) {
		t.Errorf("responses have %v resources", counts)
	}
}
