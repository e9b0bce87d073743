package xdsclient

import (
	"errors"
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// response takes a response: every resource of it that is good, whatever the
// others are. The error lists those that are not.
func (s *state) response(r *discoveryv3.DeltaDiscoveryResponse) error {
	k, ok := kindOf(r.GetTypeUrl())
	if !ok {
		return fmt.Errorf("type_url: %q was not asked for", r.GetTypeUrl())
	}
	var bad []error
	for i, res := range r.GetResources() {
		err := s.resource(k, res)
		if err != nil {
			err = fmt.Errorf("%s %q: %s", k, res.GetName(), oneLine(err))
			s.refused[key{k, res.GetName()}] = refusal{res.GetVersion(), err}
			bad = append(bad, err)
			s.log.Warn("configuration refused", "resource", i, "version", res.GetVersion(), "error", err)
			continue
		}
		delete(s.refused, key{k, res.GetName()})
	}
	for _, name := range r.GetRemovedResources() {
		s.remove(k, name)
	}
	s.synced = s.synced || k == listenerType
	if err := check(r, "resources"); err != nil {
		bad = append(bad, err)
	}
	return errors.Join(bad...)
}

func (s *state) resource(k kind, r *discoveryv3.Resource) error {
	if err := check(r); err != nil {
		return err
	}
	if url := r.GetResource().GetTypeUrl(); url != k.url() {
		return fmt.Errorf("resource: is of type %q", url)
	}
	name, h, body := r.GetName(), held{version: r.GetVersion()}, r.GetResource().GetValue()
	switch k {
	case listenerType:
		return s.setListener(name, h, body)
	case routeType:
		return s.setRoutes(name, h, body)
	case clusterType:
		return s.setCluster(name, h, body)
	default:
		return s.setEndpoints(name, h, body)
	}
}

func (s *state) setListener(name string, h held, body []byte) error {
	l, err := s.listener(name, body)
	if err != nil {
		return err
	}
	st := s.listeners[name]
	if st == nil {
		st = &listenerState{}
		s.listeners[name] = st
	}
	st.held, st.listener = h, l
	return nil
}

func (s *state) setRoutes(name string, h held, body []byte) error {
	r, err := s.parser.routes(name, body)
	if err != nil || !s.wanted[routeType][name] {
		return err
	}
	old := s.routes[name]
	if old != nil && old.hash == r.hash {
		old.held = h
		return nil
	}
	st := &routeState{held: h, routeResource: r, compiled: map[variant]*compiled{}}
	for _, l := range s.listeners {
		if l.listener.routes != name {
			continue
		}
		if c := st.variant(&s.parser, s.variantOf(l.listener)); c.err != nil {
			return c.err
		}
	}
	s.routes[name] = st
	return nil
}

func (s *state) setCluster(name string, h held, body []byte) error {
	c, err := s.cluster(name, body)
	if err != nil || !s.wanted[clusterType][name] {
		return err
	}
	old := s.clusters[name]
	st := &clusterState{held: h, clusterResource: c}
	// Endpoints stay valid where they still come from the same place.
	st.assigned = old != nil && old.assigned && old.eds == c.eds && c.eds != ""
	s.clusters[name] = st
	s.dir.Set(name, c.spec)
	if c.eds == "" && !c.dns() {
		s.dir.Assign(name, c.static)
		st.assigned = true
	} else if a := s.assignments[c.eds]; c.eds != "" && a != nil && !st.assigned {
		s.dir.Assign(name, a.endpoints)
		st.assigned = true
	}
	return nil
}

func (s *state) setEndpoints(name string, h held, body []byte) error {
	endpoints, err := s.endpoints(name, body)
	if err != nil || !s.wanted[endpointType][name] {
		return err
	}
	s.assignments[name] = &assignmentState{held: h, endpoints: endpoints}
	for cluster, c := range s.clusters {
		if c.eds == name {
			s.dir.Assign(cluster, endpoints)
			c.assigned = true
		}
	}
	return nil
}

// remove obeys for listeners. Routes, clusters and endpoints that are in use
// stay as they are: taking them away would break traffic that a listener still
// accepts. They go when nothing names them.
func (s *state) remove(k kind, name string) {
	delete(s.refused, key{k, name})
	var h *held
	switch k {
	case listenerType:
		if st := s.listeners[name]; st != nil {
			s.changed = s.changed || st.force != nil
			delete(s.listeners, name)
		}
	case routeType:
		if st := s.routes[name]; st != nil {
			h = &st.held
		}
	case clusterType:
		if st := s.clusters[name]; st != nil {
			h = &st.held
		}
	case endpointType:
		if st := s.assignments[name]; st != nil {
			h = &st.held
		}
	}
	if h != nil && !h.removed {
		h.removed = true
		s.log.Warn("the control plane removed what is in use; its last good form stays", "type", k.String(), "name", name)
	}
}
