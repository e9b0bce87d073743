package explain

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// Answer is what becomes of a request.
type Answer struct {
	Host     string `json:"host"`
	Port     uint32 `json:"port"`
	Protocol string `json:"protocol"`
	// Table is the route table of the caller, Router the MetaRouter that it
	// was made of, as namespace/name; empty: the default route.
	Table   string      `json:"table"`
	Router  string      `json:"router,omitempty"`
	Gateway string      `json:"gateway,omitempty"`
	Caller  *Caller     `json:"caller,omitempty"`
	Request []Attribute `json:"request,omitempty"`
	// Steps are the routes in order, up to the one that is taken.
	Steps []Step `json:"steps"`
	// Outcome is nil where no route matches.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Notes are what else to know, one sentence each.
	Notes []string `json:"notes,omitempty"`
}

// Step is one route that was tried.
type Step struct {
	// Index is its position in the table, from 0.
	Index int    `json:"index"`
	Route string `json:"route"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	// Asks has a line per alternative of the route; none: everything matches.
	Asks    []string `json:"asks,omitempty"`
	Matched bool     `json:"matched"`
	// Why not: a line per alternative, as in Asks.
	Why []string `json:"why,omitempty"`
}

// Outcome is what the route does with the request.
type Outcome struct {
	Route    string        `json:"route"`
	Clusters []Destination `json:"clusters"`
	// Timeout is empty where there is none but the client's own.
	Timeout string     `json:"timeout,omitempty"`
	Hash    []HashPart `json:"hash,omitempty"`
	Mirror  *Mirror    `json:"mirror,omitempty"`
	Request []Mutation `json:"requestMutation,omitempty"`
	Reply   []Mutation `json:"responseMutation,omitempty"`
}

// Destination is a cluster.
type Destination struct {
	Cluster string `json:"cluster"`
	// Share is in percent of the route's requests.
	Share        float64         `json:"share"`
	LoadBalancer ir.LoadBalancer `json:"loadBalancer"`
	Discovery    ir.Discovery    `json:"discovery"`
	// Endpoints as address:port.
	Endpoints []string `json:"endpoints"`
}

// HashPart is one thing that is hashed. Value is nil where the request does
// not have the property, or where it is the source address.
type HashPart struct {
	Property      string  `json:"property,omitempty"`
	SourceAddress bool    `json:"sourceAddress,omitempty"`
	Value         *string `json:"value,omitempty"`
}

// Mirror is where copies go; its Share is the percentage that is copied.
type Mirror struct{ Destination }

// Mutation is one change of the message.
type Mutation = ir.Mutation

func (a *Answer) note(format string, args ...any) {
	a.Notes = append(a.Notes, fmt.Sprintf(format, args...))
}

func (a *Answer) steps(steps []route.Step, t *ir.RouteTable, at func(string) (string, int)) {
	a.Steps = make([]Step, 0, len(steps))
	for _, s := range steps {
		out := Step{Index: s.Route.Index, Route: s.Route.Name, Matched: s.Matched, Why: s.Why}
		for i := range t.Routes[s.Route.Index].Matches {
			out.Asks = append(out.Asks, asks(&t.Routes[s.Route.Index].Matches[i]))
		}
		out.File, out.Line = at(fmt.Sprintf("spec.routes[%d]", s.Route.Index))
		a.Steps = append(a.Steps, out)
	}
}

// outcome: routes come out of the table, the rest of a route out of what the
// table was made of.
func (a *Answer) outcome(m *ir.Mesh, r *route.Route, from *ir.Route, req request, properties []codec.Property) {
	out := &Outcome{Route: r.Name}
	hashed := false
	for _, w := range r.Clusters {
		d := destination(m, w.Name, 100*float64(w.Weight)/float64(r.Total))
		hashed = hashed || d.LoadBalancer == ir.RingHash
		out.Clusters = append(out.Clusters, d)
		a.tellEmpty(&d)
	}
	if r.Timeout > 0 {
		out.Timeout = r.Timeout.String()
	}
	out.Hash = hash(r, req, properties)
	switch {
	case hashed && len(out.Hash) == 0:
		a.note("a cluster hashes, but nothing says what: requests are spread at random")
	case !hashed && len(out.Hash) > 0:
		a.note("the hash has no effect: no cluster of the route has a consistentHash load balancer; add one to its DestinationRule")
	}
	if from.Mirror != nil {
		out.Mirror = &Mirror{destination(m, from.Mirror.Cluster, from.Mirror.Percent)}
	}
	if from.Mutation != nil {
		out.Request, out.Reply = from.Mutation.Request, from.Mutation.Response
	}
	a.Outcome = out
}

func (a *Answer) tellEmpty(d *Destination) {
	if d.Share > 0 && len(d.Endpoints) == 0 {
		a.note("%s has no endpoints: its share of the requests is answered with \"no healthy upstream\"", d.Cluster)
	}
}

func destination(m *ir.Mesh, name string, share float64) Destination {
	d := Destination{Cluster: name, Share: share, Endpoints: []string{}}
	i := slices.IndexFunc(m.Clusters, func(c ir.Cluster) bool { return c.Name == name })
	if i < 0 {
		return d
	}
	d.LoadBalancer, d.Discovery = m.Clusters[i].LoadBalancer, m.Clusters[i].Discovery
	for _, e := range m.Clusters[i].Endpoints {
		d.Endpoints = append(d.Endpoints, net.JoinHostPort(e.Address, strconv.FormatUint(uint64(e.Port), 10)))
	}
	return d
}

func hash(r *route.Route, req request, properties []codec.Property) []HashPart {
	var out []HashPart
	for _, h := range r.Hash {
		if h.SourceAddress {
			out = append(out, HashPart{SourceAddress: true})
			continue
		}
		part := HashPart{Property: codec.RefName(properties, h.Ref)}
		if v, ok := req[h.Ref]; ok {
			text := string(v.Bytes)
			if v.IsInt {
				text = strconv.FormatInt(v.Int, 10)
			}
			part.Value = &text
		}
		out = append(out, part)
	}
	return out
}
