package xdsclient

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/aeraki-mesh/aeraki/internal/cluster"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// state is everything that the proxy was told, and what of it is in force. It
// belongs to the client's one goroutine.
type state struct {
	parser
	dir      *cluster.Directory
	log      *slog.Logger
	now      func() time.Time
	warming  time.Duration // bound
	gateways map[string]bool
	publish  func(*engine.Config)

	listeners   map[string]*listenerState
	routes      map[string]*routeState
	clusters    map[string]*clusterState
	assignments map[string]*assignmentState
	refused     map[key]refusal
	wanted      [kinds]map[string]bool // names in use, but for listeners

	leaving map[string]time.Time // clusters that nothing names any more, and when they go
	changed bool                 // what is in force is not what was published
	version string               // of the last Config published
	synced  bool                 // the server has said which listeners there are
}

// key names a resource.
type key struct {
	kind kind
	name string
}

// refusal is what was NACKed last of a resource, until it is accepted.
type refusal struct {
	version string
	err     error
}

// held is what is common to resources.
type held struct {
	version string // on the wire
	// removed: the server has it no longer, but it is in use and stays.
	removed bool
}

type listenerState struct {
	held
	*listener
	force *inForce // nil: not open
	// deadline is when what waits for clusters comes into force anyway; zero:
	// nothing waits.
	deadline time.Time
	err      error // why what waits could not be compiled
}

// inForce is a listener as workers have it.
type inForce struct {
	*listener
	*compiled
}

type routeState struct {
	held
	routeResource
	compiled map[variant]*compiled
}

// compiled is one variant of a route configuration.
type compiled struct {
	table    *route.Table
	clusters []string
	hash     string
	err      error // of the compilation; table is nil then
}

type clusterState struct {
	held
	*clusterResource
	// assigned: endpoints were given since the cluster's source of endpoints
	// is what it is now. DNS answers are not counted here.
	assigned bool
}

type assignmentState struct {
	held
	endpoints []cluster.Endpoint
}

func newState(o *Options) *state {
	s := &state{
		parser:      parser{protocols: o.protocols(), filters: o.Filters, source: o.Source},
		dir:         o.Clusters,
		log:         o.Log,
		now:         o.Clock.Now,
		warming:     o.WarmingBound,
		gateways:    map[string]bool{},
		publish:     o.Apply,
		listeners:   map[string]*listenerState{},
		routes:      map[string]*routeState{},
		clusters:    map[string]*clusterState{},
		assignments: map[string]*assignmentState{},
		refused:     map[key]refusal{},
		leaving:     map[string]time.Time{},
	}
	for _, name := range o.Gateways {
		s.gateways[name] = true
	}
	for k := range s.wanted {
		s.wanted[k] = map[string]bool{}
	}
	return s
}

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

// versions returns what is held of a type, for a server that has not sent it
// on this stream.
func (s *state) versions(k kind) map[string]string {
	out := map[string]string{}
	add := func(name string, h held) {
		if !h.removed {
			out[name] = h.version
		}
	}
	switch k {
	case listenerType:
		for name, st := range s.listeners {
			add(name, st.held)
		}
	case routeType:
		for name, st := range s.routes {
			add(name, st.held)
		}
	case clusterType:
		for name, st := range s.clusters {
			add(name, st.held)
		}
	case endpointType:
		for name, st := range s.assignments {
			add(name, st.held)
		}
	}
	return out
}

// variantOf tells what a listener's routes are compiled for: beside a client,
// the caller is this workload.
func (s *state) variantOf(l *listener) variant {
	return variant{protocol: l.protocol.Traits().Name, known: !l.inbound && !s.gateways[l.name]}
}

func (r *routeState) variant(p *parser, v variant) *compiled {
	c := r.compiled[v]
	if c == nil {
		c = &compiled{hash: r.hash}
		if c.table, c.err = p.compile(&r.routeResource, v); c.err == nil {
			c.clusters = c.table.Clusters()
		}
		r.compiled[v] = c
	}
	return c
}

// config returns what is in force.
func (s *state) config() *engine.Config {
	c := &engine.Config{}
	var content strings.Builder
	for _, st := range s.listeners {
		if f := st.force; f != nil {
			c.Listeners = append(c.Listeners, &engine.Listener{
				Name: f.name, Address: f.address, Inbound: f.inbound, Protocol: f.protocol, Routes: f.table,
				Destination: f.destination, Limits: f.limits, Sharing: f.sharing, IdleTimeout: f.idleTimeout,
			})
		}
	}
	slices.SortFunc(c.Listeners, func(a, b *engine.Listener) int { return strings.Compare(a.Name, b.Name) })
	for _, l := range c.Listeners {
		f := s.listeners[l.Name].force
		fmt.Fprintf(&content, "%s %s\n", f.listener.hash, f.compiled.hash)
	}
	c.Version = hash([]byte(content.String()))
	return c
}
