package loop_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/aeraki-mesh/aeraki/internal/driver/drivertest"
	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// harness runs the kit over a Server.
type harness struct {
	*drivertest.Sockets
	t *testing.T
	o loop.Options
	s *loop.Server
}

func (h *harness) Start(newHandler func(engine.Driver) engine.Handler) {
	h.o.Workers = 1
	h.o.Log = slog.New(slog.DiscardHandler)
	h.o.NewHandler = func(_ int, d engine.Driver) engine.Handler { return newHandler(d) }
	h.Unlock()
	defer h.Lock()
	var err error
	if h.s, err = loop.New(h.o); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.s.Close() })
	if h.Addr, err = h.s.Listen(drivertest.Listener, loopback); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) StopAccepting() {
	h.Unlock()
	defer h.Lock()
	h.s.Unlisten(drivertest.Listener)
}

func (h *harness) Do(f func()) {
	h.Unlock()
	defer h.Lock()
	err := h.s.Do(context.Background(), func(int, engine.Handler) {
		h.Lock()
		defer h.Unlock()
		f()
	})
	if err != nil {
		h.t.Error(err)
	}
}

func TestContract(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return &harness{Sockets: drivertest.NewSockets(t), t: t}
	})
}

// Small send buffers: nearly every Write takes a part.
func TestContractSmallBuffers(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return &harness{Sockets: drivertest.NewSockets(t), t: t, o: loop.Options{SendBuffer: 48 << 10}}
	})
}

func TestContractPortable(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return &harness{Sockets: drivertest.NewSockets(t), t: t, o: loop.Options{Portable: true}}
	})
}
