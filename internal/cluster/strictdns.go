package cluster

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/cluster/dns"
)

const (
	// lookupTimeout bounds one lookup, all names of the search list and all
	// servers together.
	lookupTimeout = 20 * time.Second
	// Retries after a lookup without an answer, doubling.
	firstRetry, lastRetry = time.Second, 30 * time.Second
	// disappear is how many times in a row a name that had addresses must be
	// said not to exist before that is believed: a name server that restarts
	// says so of names that it has not loaded yet.
	disappear = 3
)

// host is a name of a cluster that is being resolved by a goroutine of its own.
// It is guarded by its cluster's mu.
type host struct {
	name   string
	family dns.Family
	stop   context.CancelFunc

	addrs    []netip.Addr // last good
	tried    bool         // a lookup has ended
	answered bool         // one with an answer
	missing  int          // answers in a row that the name does not exist
	failed   int          // lookups in a row without good answer
	failures uint64
	err      error // of the last lookup
}

func (h *host) status() HostStatus {
	s := HostStatus{Host: h.name, Failures: h.failures, Addresses: []string{}}
	for _, a := range h.addrs {
		s.Addresses = append(s.Addresses, a.String())
	}
	if h.err != nil {
		s.Error = h.err.Error()
	}
	return s
}

// resolve begins to resolve the names that are new and ends what is gone.
func (c *cluster) resolve(wanted []Host) {
	old := c.hosts
	c.hosts = nil
	for _, w := range wanted {
		if c.hosts[w.Name] != nil {
			continue
		}
		if c.hosts == nil {
			c.hosts = map[string]*host{}
		}
		h := old[w.Name]
		if h != nil && h.family == c.spec.Family {
			delete(old, w.Name)
		} else {
			h = c.newHost(w.Name)
		}
		c.hosts[w.Name] = h
	}
	for _, h := range old {
		h.stop()
	}
}

func (c *cluster) newHost(name string) *host {
	h := &host{name: name, family: c.spec.Family, stop: func() {}}
	if a, err := netip.ParseAddr(name); err == nil {
		h.addrs, h.tried, h.answered = []netip.Addr{a.Unmap()}, true, true
		return h
	}
	var ctx context.Context
	ctx, h.stop = context.WithCancel(c.d.ctx)
	c.d.running.Go(func() { c.watch(ctx, h) })
	return h
}

// watch resolves h until ctx ends.
func (c *cluster) watch(ctx context.Context, h *host) {
	for ctx.Err() == nil {
		lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
		answer, err := c.d.o.Resolver.Lookup(lookup, h.name, h.family)
		cancel()
		if ctx.Err() != nil {
			return
		}
		t := c.d.o.Clock.NewTimer(c.resolved(ctx, h, answer, err))
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// resolved takes the outcome of a lookup and returns when to look again.
func (c *cluster) resolved(ctx context.Context, h *host, a dns.Answer, err error) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return 0 // the cluster let it go while the lookup ran
	}
	h.tried = true
	again := a.TTL
	switch {
	case err == nil:
		if h.err != nil {
			c.d.o.Log.Info("name resolves again", "cluster", c.name, "host", h.name)
		}
		h.addrs, h.answered, h.missing, h.failed = a.Addrs, true, 0, 0
	case errors.Is(err, dns.ErrNotFound):
		h.missing++
		again = c.failed(h, err)
		if len(h.addrs) == 0 || h.missing >= disappear {
			h.addrs, h.answered = nil, true
			again = max(a.TTL, dns.MinTTL)
		}
	default:
		h.missing = 0
		again = c.failed(h, err)
	}
	h.err = err
	c.publishResolved()
	return again
}

// failed counts a lookup without addresses and returns when to try again.
func (c *cluster) failed(h *host, err error) time.Duration {
	if h.err == nil {
		c.d.o.Log.Warn("name does not resolve, its last good addresses stay",
			"cluster", c.name, "host", h.name, "addresses", len(h.addrs), "error", err)
	}
	h.failures++
	c.d.failures.Add(1)
	d := lastRetry
	if h.failed < 5 {
		d = firstRetry << h.failed
	}
	h.failed++
	return time.Duration(float64(d) * (1 - c.d.o.Random()/2))
}

// publishResolved puts in force what all names together resolve to. It waits
// for names that were not asked for yet, not for those that fail.
func (c *cluster) publishResolved() {
	answered := false
	for _, h := range c.hosts {
		if !h.tried {
			return
		}
		answered = answered || h.answered
	}
	if !answered {
		return
	}
	var endpoints []Endpoint
	for _, w := range c.spec.Hosts {
		for _, a := range c.hosts[w.Name].addrs {
			endpoints = append(endpoints, Endpoint{Addr: netip.AddrPortFrom(a, w.Port), Weight: w.Weight})
		}
	}
	c.publish(endpoints)
}
