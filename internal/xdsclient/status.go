package xdsclient

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Status is what the client is told and what became of it, for the admin
// endpoint.
type Status struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // when Connected became so
	Error     string    `json:"error,omitempty"` // why it is not connected
	// Synced: the server has said which listeners there are.
	Synced bool `json:"synced"`
	// Version of the configuration that was applied last; "" before the first.
	Version string `json:"version,omitempty"`
	// Resources by type and name.
	Resources []Resource `json:"resources"`
}

// Resource is one resource as the server sent it.
type Resource struct {
	Type    string `json:"type"` // the message's short name
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // accepted last; "" if none was
	State   State  `json:"state"`
	// Error is why it was refused, or what it waits for.
	Error string `json:"error,omitempty"`
}

// State is what became of a resource.
type State string

// Active: in force. Warming: accepted, and waits for what it names; its last
// form, if there is one, is in force. Nacked: the last form that was sent is
// refused; the one before, if Version is not empty, holds.
const (
	Active  State = "active"
	Warming State = "warming"
	Nacked  State = "nacked"
)

// Status returns a copy of what is known now.
func (c *Client) Status() Status {
	reply := make(chan Status, 1)
	select {
	case c.ask <- reply:
		return <-reply
	case <-c.done:
		return c.last
	}
}

func (c *Client) status() Status {
	s := Status{
		Connected: c.connected, Since: c.since, Synced: c.state.synced,
		Version: c.state.version, Resources: c.state.resources(),
	}
	if c.err != nil {
		s.Error = c.err.Error()
	}
	return s
}

func (s *state) resources() []Resource {
	out := []Resource{}
	add := func(k kind, name string, h held, waits string) {
		r := Resource{Type: k.String(), Name: name, Version: h.version, State: Active}
		if refused, ok := s.refused[key{k, name}]; ok {
			r.State, r.Error = Nacked, refused.err.Error()
		} else if waits != "" {
			r.State, r.Error = Warming, waits
		}
		out = append(out, r)
	}
	for name, st := range s.listeners {
		add(listenerType, name, st.held, s.listenerWaits(st))
	}
	for name, st := range s.routes {
		add(routeType, name, st.held, s.routeWaits(name))
	}
	for name, st := range s.clusters {
		waits := ""
		if !s.clusterReady(name) {
			waits = "waits for its endpoints"
		}
		add(clusterType, name, st.held, waits)
	}
	for name, st := range s.assignments {
		add(endpointType, name, st.held, "")
	}
	for k := range s.refused {
		if !s.holds(k) {
			add(k.kind, k.name, held{}, "")
		}
	}
	slices.SortFunc(out, func(a, b Resource) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	return out
}

func (s *state) holds(k key) bool {
	var ok bool
	switch k.kind {
	case listenerType:
		_, ok = s.listeners[k.name]
	case routeType:
		_, ok = s.routes[k.name]
	case clusterType:
		_, ok = s.clusters[k.name]
	case endpointType:
		_, ok = s.assignments[k.name]
	}
	return ok
}

// listenerWaits says what keeps a listener's current form from being in force.
func (s *state) listenerWaits(st *listenerState) string {
	next := s.candidate(st)
	switch {
	case next == nil:
		return "waits for routes " + st.listener.routes + ": " + oneLine(s.whyNoRoutes(st))
	case next.same(st.force):
		return ""
	}
	return "waits for clusters " + strings.Join(s.missing(next, st.force), ", ")
}

// routeWaits is listenerWaits of the first listener that uses the routes.
func (s *state) routeWaits(name string) string {
	waits := ""
	for _, st := range s.listeners {
		if st.listener.routes == name {
			if w := s.listenerWaits(st); w != "" && (waits == "" || w < waits) {
				waits = w
			}
		}
	}
	return waits
}
