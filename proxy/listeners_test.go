package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// newTestListeners returns listeners of running workers.
func newTestListeners(t *testing.T) *listeners {
	t.Helper()
	log, shared := slog.New(slog.DiscardHandler), engine.NewShared()
	s, err := loop.New(loop.Options{Workers: 2, Log: log, NewHandler: func(i int, d engine.Driver) engine.Handler {
		return engine.NewWorker(engine.Options{Driver: d, Log: log, Shared: shared, Seed: uint64(i)})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newListeners(s, log)
}

// config is a configuration with these listeners, which have no routes: what
// is called is answered by the proxy.
func config(at map[string]string) *engine.Config {
	c := &engine.Config{}
	for name, addr := range at {
		c.Listeners = append(c.Listeners, &engine.Listener{Name: name, Address: netip.MustParseAddrPort(addr),
			Protocol: testProtocol(), Routes: route.Empty(name), Limits: engine.DefaultLimits()})
	}
	return c
}

// answers reports whether a proxy serves a new connection to addr.
func answers(t *testing.T, addr netip.AddrPort) bool {
	t.Helper()
	if c, err := net.Dial("tcp", addr.String()); err != nil {
		return false
	} else {
		c.Close()
	}
	got, err := dial(t, addr.String()).call(1, "m")
	return err == nil && got != ""
}

func TestListenersFollowTheConfiguration(t *testing.T) {
	l := newTestListeners(t)
	if l.ready() == nil {
		t.Error("ready without a configuration")
	}
	l.apply(config(map[string]string{"a": "127.0.0.1:0", "b": "127.0.0.1:0"}))
	_, first := l.inForce()
	if l.ready() != nil || !answers(t, first["a"]) || !answers(t, first["b"]) {
		t.Fatalf("after the first configuration: %v, open %v", l.ready(), first)
	}

	l.apply(config(map[string]string{"a": "127.0.0.1:0", "b": "127.0.0.1:0"}))
	if _, again := l.inForce(); again["a"] != first["a"] || !answers(t, again["a"]) {
		t.Errorf("the same address was opened anew: %v, was %v", again, first)
	}

	// The two change places, b's port for a.
	l.apply(config(map[string]string{"a": first["b"].String(), "b": first["a"].String()}))
	if _, now := l.inForce(); l.ready() != nil || now["a"] != first["b"] || now["b"] != first["a"] || !answers(t, now["a"]) {
		t.Errorf("after the exchange: %v, open %v, was %v", l.ready(), now, first)
	}

	l.apply(config(map[string]string{"a": first["b"].String()}))
	if _, now := l.inForce(); len(now) != 1 || answers(t, first["a"]) || !answers(t, first["b"]) {
		t.Errorf("after b's removal: open %v", now)
	}

	l.close()
	l.apply(config(map[string]string{"c": "127.0.0.1:0"}))
	if c, _ := l.inForce(); answers(t, first["b"]) || c.Listeners[0].Name != "a" || l.ready() == nil {
		t.Error("a closed one takes connections, or a configuration")
	}
}

// A listener whose address is taken does not keep the others from opening, and
// is forgotten with its configuration.
func TestOneAddressThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l := newTestListeners(t)
	l.apply(config(map[string]string{"a": taken.Addr().String(), "b": "127.0.0.1:0"}))
	_, open := l.inForce()
	if err := l.ready(); err == nil || !errors.Is(err, l.failed["a"]) || len(open) != 1 || !answers(t, open["b"]) {
		t.Errorf("ready: %v, open %v", err, open)
	}
	l.apply(config(map[string]string{"b": "127.0.0.1:0"}))
	if err := l.ready(); err != nil {
		t.Errorf("what is no more configured still counts: %v", err)
	}
}

// No connection is taken before the workers know what to do with it: they
// close one to a listener that they have not heard of.
func TestNoConnectionComesTooEarlyOrIsCut(t *testing.T) {
	l := newTestListeners(t)
	var kept *client
	for i := range 50 {
		name := fmt.Sprint("l", i)
		l.apply(config(map[string]string{"keep": "127.0.0.1:0", name: "127.0.0.1:0"}))
		_, open := l.inForce()
		if kept == nil {
			kept = dial(t, open["keep"].String())
		}
		if _, err := dial(t, open[name].String()).call(1, "m"); err != nil {
			t.Fatalf("configuration %d: %v", i, err)
		}
		if _, err := kept.call(uint32(i), "m"); err != nil {
			t.Fatalf("configuration %d, the connection to a listener that stays: %v", i, err)
		}
	}
}
