package simtest

import (
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/driver/sim"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// counters are what the workers counted, together.
type counters struct {
	requests, buffered, upstreams int
	clients                       int
	events                        [engine.Events]uint64
	results                       [engine.Results]uint64
}

func (w *world) count() (t counters) {
	w.do(func(_ int, h *engine.Worker) {
		s := h.Snapshot()
		t.requests += s.Requests
		t.buffered += s.Buffered
		for e, n := range s.Events {
			t.events[e] += n
		}
		for _, n := range s.Clients {
			t.clients += n
		}
		for _, n := range s.Upstreams {
			t.upstreams += n
		}
		for i := range s.Series {
			for r, n := range s.Series[i].Requests {
				t.results[r] += n
			}
		}
	})
	return t
}

// settle checks that nothing is left: no request, no byte, no client; and no
// connection to a server that nobody will use.
func (w *world) settle() {
	w.pass(2 * time.Minute) // longer than late replies are awaited
	t := w.count()
	if t.requests != 0 || t.buffered != 0 || t.clients != 0 {
		w.fail("%d requests, %d bytes and %d clients are left in the workers", t.requests, t.buffered, t.clients)
	}
	// A heartbeat's answer may be on its way just now; nothing else may.
	if w.net.Run(func() bool { return w.net.Usage().Kept == 0 }, time.Second) != nil {
		w.fail("%d bytes are left unread", w.net.Usage().Kept)
	}
	w.checkActive()
	w.addUp(t)
	w.checkEvents(t)
	if w.steady {
		w.checkWeights()
	}
	if w.heartbeat == 0 {
		w.pass(6 * time.Minute) // longer than connections are kept that nobody uses
		if n := w.count().upstreams; n != 0 {
			w.fail("%d connections to servers are kept though nobody uses them", n)
		}
	}
	w.present = nil
	w.configure()
	if w.net.Run(func() bool { return w.net.Usage() == sim.Usage{} }, time.Minute) != nil && w.err == nil {
		w.fail("without listeners connections are left: %+v", w.net.Usage())
	}
}

// pass lets d of the network's time pass.
func (w *world) pass(d time.Duration) {
	over := false
	w.net.After(d, func() { over = true })
	if err := w.net.Run(func() bool { return over }, 2*d); err != nil {
		w.fail("%v", err)
	}
}

// checkActive checks that least request does not count what is over.
func (w *world) checkActive() {
	for _, name := range []string{"a", "b", "mirror"} {
		set := w.net.Clusters().Get(name).Endpoints()
		if set == nil {
			return
		}
		for _, e := range set.Endpoints {
			if n := e.Active.Load(); n != 0 {
				w.fail("endpoint %v of %s counts %d requests in flight", e.Addr, name, n)
			}
		}
	}
}

// checkEvents checks what was counted beside requests.
func (w *world) checkEvents(t counters) {
	never := []engine.Event{engine.Panic, engine.ForeignProtocol, engine.SlowMessage, engine.SlowReader,
		engine.ConnectionRefused, engine.EditRefused, engine.Unread}
	if !w.hostile {
		never = append(never, engine.BadReplyBytes, engine.StrayReply)
	}
	if w.calm {
		never = append(never, engine.PushDropped, engine.HeartbeatMissed, engine.UpstreamReset)
		if !w.emptied {
			never = append(never, engine.UpstreamConnectFailed, engine.MirrorFailed)
		}
		if !w.deadlines {
			never = append(never, engine.LateReply)
		}
	}
	for _, e := range never {
		if n := t.events[e]; n > 0 {
			w.fail("%d × %v", n, e)
		}
	}
	var rude uint64
	for _, c := range w.clients {
		if c.wasRude {
			rude++
		}
	}
	if n := t.events[engine.BadRequestBytes]; n > rude || w.calm && n != rude {
		w.fail("%d clients sent too long messages, %d were noticed", rude, n)
	}
}

// addUp compares what the workers counted with what clients and servers saw.
func (w *world) addUp(t counters) {
	var counted, sent, got, local, oneway uint64
	for _, n := range t.results {
		counted += n
	}
	for _, c := range w.clients {
		sent += uint64(c.sent)
		got += uint64(c.got)
		local += uint64(c.local)
		oneway += uint64(c.oneways)
	}
	served := t.results[engine.ServedOK] + t.results[engine.ServedError] + t.results[engine.ServedRefuse]
	switch {
	case counted > sent || counted < got || served < got-local:
		w.fail("workers counted %d requests, %d as served; clients sent %d and got %d replies, %d of the proxy",
			counted, served, sent, got, local)
	case !w.calm:
	case counted != sent || served+local != got || t.results[engine.Gone] != 0:
		w.fail("calm: counted %d of %d requests, %d served and %d answered by the proxy of %d replies, %d clients gone",
			counted, sent, served, local, got, t.results[engine.Gone])
	case w.emptied || w.deadlines:
	case t.results[engine.OnewaySent] != oneway || local != 0:
		w.fail("calm: %d of %d one-way, %d local replies", t.results[engine.OnewaySent], oneway, local)
	case uint64(len(w.served)) != sent:
		w.fail("calm: servers saw %d of %d requests", len(w.served), sent)
	}
	timedOut := t.results[engine.LocalResult(codec.TimedOut)]
	if !w.deadlines && w.shortest == 0 && timedOut > 0 {
		w.fail("%d requests timed out without a deadline", timedOut)
	}
}

// checkWeights checks that each worker shared the requests of the route "rest"
// as the weights say: exactly, round by round.
func (w *world) checkWeights() {
	total := uint64(w.weights[0] + w.weights[1])
	w.do(func(i int, h *engine.Worker) {
		var counts = map[string][2]uint64{}
		for _, s := range h.Snapshot().Series {
			if s.Route == "rest" {
				n := counts[s.Listener]
				for _, k := range s.Requests {
					n[int(s.Cluster[0]-'a')] += k
				}
				counts[s.Listener] = n
			}
		}
		for name, n := range counts {
			rounds, rest := (n[0]+n[1])/total, (n[0]+n[1])%total
			for j, weight := range w.weights {
				least := rounds * uint64(weight)
				if n[j] < least || n[j] > least+min(rest, uint64(weight)) {
					w.fail("worker %d, listener %s: %v requests for weights %v", i, name, n, w.weights)
				}
			}
		}
	})
}
