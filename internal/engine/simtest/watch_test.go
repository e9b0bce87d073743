package simtest

import (
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// watch looks at what the workers hold, now and then while clients live.
func (w *world) watch() {
	every := 40*time.Millisecond + w.net.Now()/20
	if w.bulk == noBulk { // little changes
		every *= 4
	}
	w.net.After(w.upTo(every), func() {
		if w.over {
			return
		}
		w.do(func(i int, h *engine.Worker) {
			s := h.Snapshot()
			if most := w.mayBuffer(&s); s.Buffered > most {
				w.fail("worker %d holds %d bytes unsent, %d may be: %v clients, %v upstreams, %d begun", i, s.Buffered, most, s.Clients, s.Upstreams, w.begun)
			}
			for _, name := range []string{"a", "b"} {
				if n, most := s.Upstreams[name], w.mayConnect(); n > most {
					w.fail("worker %d has %d connections to %s, %d may be", i, n, name, most)
				}
			}
		})
		w.watch()
	})
}

// highWater is the worker's: a connection that does not take what is written
// to it holds so much and what was under way.
const highWater = 1 << 20

// mayBuffer is how much a worker may hold unsent. What is in flight to servers
// is bounded by what a client may have in flight, or else by high water.
func (w *world) mayBuffer(s *engine.Snapshot) int {
	clients, upstreams := s.Clients["l"]+s.Clients["m"], 0
	for _, n := range s.Upstreams {
		upstreams += n
	}
	switch w.bulk {
	case slowClients:
		inFlight := w.begun * w.most * largeMessage // of those that left, too
		return inFlight + clients*(highWater+w.most*largeMessage)
	case slowServers:
		if w.client == codec.InOrder {
			return 1 << 30 // one late reply lets out all that waited for it
		}
		return upstreams*(highWater+w.begun*largeMessage) + clients*(highWater+8*largeMessage)
	}
	return (upstreams + clients + 1) * 2 * highWater
}

// mayConnect is how many connections to a cluster one worker may have: two
// endpoints, each with one per client, or one that they share. It is exact
// only while nothing makes connections go out of use.
func (w *world) mayConnect() int {
	if !w.steady || !w.calm || w.deadlines || w.pins || w.drains {
		return 1 << 20
	}
	if !w.parallel {
		return 2 * w.begun
	}
	n := 2 * 2 // each listener has its own
	for _, s := range w.servers {
		n += s.goAways
	}
	return n
}
