package sim_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/driver/drivertest"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// harness runs the kit over a Net, which needs no lock.
type harness struct {
	n     *sim.Net
	envoy bool
	addrs uint16
}

func (h *harness) Lock()   {}
func (h *harness) Unlock() {}

func (h *harness) Start(newHandler func(engine.Driver) engine.Handler) { h.n.Worker(newHandler) }

func (h *harness) Dial(o drivertest.PeerOptions) drivertest.Peer {
	return newPeer(h.n.Dial(drivertest.Listener), o)
}

// target returns where an address can be connected to.
func (h *harness) target() (netip.AddrPort, engine.Target) {
	h.addrs++
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, 1}), h.addrs)
	t := engine.Target{Cluster: addr.String(), Endpoint: &engine.Endpoint{Addr: addr, Weight: 1}}
	if h.envoy {
		h.n.Clusters().Get(t.Cluster).Set(engine.RoundRobin, addr)
		t.Endpoint = nil
	}
	return addr, t
}

func (h *harness) Serve(o drivertest.PeerOptions) (engine.Target, func() []drivertest.Peer) {
	addr, t := h.target()
	var peers []drivertest.Peer
	h.n.Listen(addr, func(c *sim.Conn) { peers = append(peers, newPeer(c, o)) })
	return t, func() []drivertest.Peer { return peers }
}

func (h *harness) Refused() engine.Target {
	_, t := h.target()
	return t
}

func (h *harness) Silent() engine.Target {
	addr, t := h.target()
	h.n.Listen(addr, nil)
	return t
}

func (h *harness) StopAccepting() {
	h.Pass(time.Second) // who dialled has arrived
	h.n.StopAccepting()
}

func (h *harness) Do(f func()) { h.n.Do(0, func(engine.Handler) { f() }) }

func (h *harness) Wait(cond func() bool) bool { return h.n.Run(cond, 10*time.Minute) == nil }

func (h *harness) Pass(d time.Duration) {
	over := false
	h.n.After(d, func() { over = true })
	_ = h.n.Run(func() bool { return over }, 2*d)
}

// peer is a drivertest.Peer.
type peer struct {
	*sim.Conn
	how  engine.How
	over bool
}

func newPeer(c *sim.Conn, o drivertest.PeerOptions) *peer {
	p := &peer{Conn: c}
	c.OnData = func(b []byte) int {
		if o.OnData != nil {
			o.OnData(p, b)
		}
		return len(b)
	}
	c.OnClose = func(how engine.How) { p.how, p.over = how, true }
	return p
}

func (p *peer) SetReading(on bool)      { p.Pause(!on) }
func (p *peer) End() (engine.How, bool) { return p.how, p.over }

func TestContract(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"quick":  {MaxDelay: 10 * time.Microsecond},
		"slow":   {MaxDelay: 3 * time.Millisecond},
		"pieces": {MaxDelay: 100 * time.Microsecond, SplitBytes: 3000, Buffer: 30_000},
		"envoy":  {MaxDelay: 100 * time.Microsecond, Envoy: true},
	} {
		t.Run(name, func(t *testing.T) {
			seed := uint64(1)
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				seed++
				return &harness{n: sim.New(seed, o), envoy: o.Envoy}
			})
		})
	}
}
