package xdsclient

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

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
