package xdsclient

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// linger is how long a cluster stays that no table names any more: workers may
// have requests under way that were routed by the table before.
const linger = 10 * time.Second

// settle brings into force what has become ready, finds what is in use now,
// drops the rest, and tells the workers if that changed anything for them.
func (s *state) settle() {
	now := s.now()
	for _, st := range s.listeners {
		s.advance(st, now)
	}
	s.use(now)
	for name, at := range s.leaving {
		if !at.After(now) {
			delete(s.leaving, name)
			s.dir.Remove(name)
		}
	}
	if !s.changed {
		return
	}
	s.changed = false
	if c := s.config(); c.Version != s.version {
		s.version = c.Version
		s.publish(c)
	}
}

// advance moves one listener on: to its current form once its routes are there
// and every cluster that they name anew is ready, or the bound is over.
func (s *state) advance(st *listenerState, now time.Time) {
	next := s.candidate(st)
	if next == nil && st.force != nil || next.same(st.force) {
		st.deadline = time.Time{} // what is in force serves on; there is nothing better to wait for
		return
	}
	missing := s.missing(next, st.force)
	switch {
	case next != nil && len(missing) == 0:
		s.enforce(st, next)
	case st.deadline.IsZero():
		st.deadline = now.Add(s.warming)
	case st.deadline.After(now):
	case next != nil:
		s.log.Warn("routes come into force though clusters that they name are missing", "listener", st.name,
			"routes", st.listener.routes, "clusters", strings.Join(missing, ", "), "waited", s.warming)
		s.enforce(st, next)
	default:
		s.log.Warn("listener opens without routes", "listener", st.name,
			"routes", st.listener.routes, "waited", s.warming, "error", s.whyNoRoutes(st))
		s.enforce(st, &inForce{st.listener, &compiled{table: route.Empty(st.listener.routes)}})
	}
}

func (s *state) enforce(st *listenerState, f *inForce) {
	st.force, st.deadline = f, time.Time{}
	s.changed = true
}

// same reports whether workers would see no difference.
func (f *inForce) same(other *inForce) bool {
	return f != nil && other != nil && f.compiled == other.compiled && f.listener.hash == other.listener.hash
}

// whyNoRoutes says what is wrong with the routes that a listener waits for.
func (s *state) whyNoRoutes(st *listenerState) error {
	if r, ok := s.refused[key{routeType, st.listener.routes}]; ok {
		return r.err
	}
	if st.err != nil {
		return st.err
	}
	return errors.New("they have not arrived")
}

// candidate is what st would have in force if all were ready; nil while its
// routes are not there.
func (s *state) candidate(st *listenerState) *inForce {
	r := s.routes[st.listener.routes]
	st.err = nil
	if r == nil {
		return nil
	}
	c := r.variant(&s.parser, s.variantOf(st.listener))
	if st.err = c.err; c.err != nil {
		return nil
	}
	return &inForce{st.listener, c}
}

// missing lists the clusters that are not ready. One that is in force already
// does not get better by waiting.
func (s *state) missing(next, force *inForce) []string {
	if next == nil {
		return nil
	}
	var out []string
	for _, name := range next.clusters {
		if force != nil && slices.Contains(force.clusters, name) {
			continue
		}
		if !s.clusterReady(name) {
			out = append(out, name)
		}
	}
	return out
}

func (s *state) clusterReady(name string) bool {
	c := s.clusters[name]
	if c == nil {
		return false
	}
	if c.dns() {
		return s.dir.Ready(name)
	}
	return c.assigned
}

// use finds the names that are in use and forgets what is not.
func (s *state) use(now time.Time) {
	for _, k := range []kind{routeType, clusterType, endpointType} {
		s.wanted[k] = make(map[string]bool, len(s.wanted[k]))
	}
	for _, st := range s.listeners {
		s.wanted[routeType][st.listener.routes] = true
		for _, f := range []*inForce{st.force, s.candidate(st)} {
			if f == nil {
				continue
			}
			for _, name := range f.clusters {
				s.wanted[clusterType][name] = true
			}
		}
	}
	for name, c := range s.clusters {
		if s.wanted[clusterType][name] {
			delete(s.leaving, name)
			if c.eds != "" {
				s.wanted[endpointType][c.eds] = true
			}
			continue
		}
		delete(s.clusters, name)
		s.leaving[name] = now.Add(linger)
	}
	s.forget()
}

// forget drops what is held of resources that nothing uses, but for clusters.
func (s *state) forget() {
	for name := range s.routes {
		if !s.wanted[routeType][name] {
			delete(s.routes, name)
		}
	}
	for name := range s.assignments {
		if !s.wanted[endpointType][name] {
			delete(s.assignments, name)
		}
	}
	for k := range s.refused {
		if k.kind != listenerType && !s.wanted[k.kind][k.name] {
			delete(s.refused, k)
		}
	}
}

// due returns when settle has something to do though nothing arrives; zero:
// never.
func (s *state) due() time.Time {
	var first time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, st := range s.listeners {
		earlier(st.deadline)
	}
	for _, t := range s.leaving {
		earlier(t)
	}
	return first
}
