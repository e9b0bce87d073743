package simtest

import (
	"math/rand/v2"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
)

// profile is a kind of mesh.
type profile struct {
	name           string
	client, server codec.Order
	parallel       bool
	envoy          bool
	// calm: nobody fails, so every request must be served by a server.
	calm bool
	// hostile: servers answer twice, late, never, or with nonsense.
	hostile bool
}

func profiles() []profile {
	var all []profile
	for _, kind := range []profile{
		{name: "leased", client: codec.InOrder, server: codec.InOrder},
		{name: "shared", client: codec.ByID, server: codec.ByID, parallel: true},
		{name: "shared-in-order", client: codec.InOrder, server: codec.ByID, parallel: true},
	} {
		for _, mood := range []profile{{name: "calm", calm: true}, {name: "failing"}, {name: "hostile", hostile: true}} {
			for _, envoy := range []bool{false, true} {
				p := kind
				p.name, p.calm, p.hostile, p.envoy = kind.name+"-"+mood.name, mood.calm, mood.hostile, envoy
				if envoy {
					p.name += "-envoy"
				}
				all = append(all, p)
			}
		}
	}
	return all
}

// conditions are what else is so in one mesh; each seed draws its own.
type conditions struct {
	steady    bool          // routes and endpoints stay as they are
	deadlines bool          // some requests have a deadline of their own
	empties   bool          // clusters are without endpoints for a while
	drains    bool          // workers are drained during traffic
	removals  bool          // listeners are removed and come back
	pins      bool          // some requests need a connection of their own, and servers push on it
	ring      bool          // clusters hash the tag, and keep their endpoints
	churn     bool          // many clients, one after the other
	early     bool          // the protocol knows a message before it has all of it
	bare      bool          // requests have no id that the proxy may rewrite
	bulk      bulk          // messages are large
	idle      time.Duration // clients that say nothing for so long are closed; 0: never
	heartbeat time.Duration // on connections to servers; 0: none
	limit     int           // bytes of a message
	requests  int           // in flight per client, at most; 0: it varies
}

// bulk says who is slow where messages are large.
type bulk uint8

const (
	noBulk bulk = iota
	slowClients
	slowServers
)

// largeMessage is about what the messages of bulky meshes have, at most.
const largeMessage = 100 << 10

func (p *profile) draw(r *rand.Rand) conditions {
	chance := func(p float64) bool { return r.Float64() < p }
	c := conditions{limit: 1 << 20}
	c.steady, c.deadlines, c.empties = chance(0.3), chance(0.2), chance(0.15)
	c.drains, c.pins, c.ring, c.early = chance(0.15), chance(0.2), chance(0.2), chance(0.3)
	c.removals = !c.steady && chance(0.2)
	c.churn = !p.calm && chance(0.3)
	c.bare = p.client == codec.InOrder && p.server == codec.InOrder && !p.hostile && chance(0.4)
	if chance(0.15) {
		c.idle = 10*time.Second + time.Duration(r.IntN(20))*time.Second
	}
	if chance(0.5) {
		c.heartbeat = time.Minute
		if !p.calm && chance(0.5) {
			c.heartbeat = time.Second + time.Duration(r.IntN(2000))*time.Millisecond
		}
	}
	if chance(0.15) {
		c.limit = 30 << 10
	}
	if chance(0.2) {
		c.requests = 1
	}
	if chance(0.1) {
		c.makeBulky(r)
	}
	return c
}

// makeBulky leaves out what would blur how many bytes a worker may hold.
func (c *conditions) makeBulky(r *rand.Rand) {
	c.bulk, c.requests, c.limit = slowClients, 1+r.IntN(4), 1<<20
	if r.IntN(2) == 0 {
		c.bulk, c.requests = slowServers, 1024
	}
	c.deadlines, c.churn, c.pins, c.drains, c.removals, c.ring = false, false, false, false, false, false
}

// options are the network's.
func (p *profile) options(r *rand.Rand, c *conditions) sim.Options {
	o := sim.Options{Envoy: p.envoy}
	o.MaxDelay = time.Duration(r.IntN(5)) * time.Millisecond
	o.SplitBytes = 1 << (4 + r.IntN(10))
	o.Buffer = 1 << (9 + r.IntN(9))
	if c.bulk != noBulk {
		o.SplitBytes, o.Buffer = 64<<10, 1<<(14+r.IntN(3))
	}
	if !p.calm {
		o.ResetProbability, o.ConnectFailProbability = 0.002*r.Float64(), 0.1*r.Float64()
	}
	return o
}
