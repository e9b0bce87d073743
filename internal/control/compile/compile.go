// Package compile turns a snapshot of resources into the intermediate
// representation and says what is wrong with them. It is a pure function: the
// same snapshot and options give the same mesh, byte for byte, in whatever
// order files were read.
//
// Each object is compiled by itself. A form that is wrong is not put in force;
// the form that was accepted last, which is part of the snapshot, stays.
package compile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// ProtocolSchema is what compile must know of a codec.
type ProtocolSchema struct {
	// Properties that rules may read, as the codec has them.
	Properties []codec.Property
	// Mutable: the codec can carry mutations of its mutable properties.
	Mutable bool
	// Parallel: servers work on several requests of a connection at once.
	Parallel bool
}

// Options are what compile needs beside resources.
type Options struct {
	// Schemas are the built-in protocols by name; ApplicationProtocol
	// resources add to them.
	Schemas map[string]ProtocolSchema
	// RootNamespace is where mesh-wide resources live; "istio-system" if empty.
	RootNamespace string
	// MeshScopedRouters lets a router of any namespace govern every client of
	// any host, as upstream does (compat.meshScopedRouters).
	MeshScopedRouters bool
}

// InForce says which form of an object is compiled.
type InForce string

// The values of InForce.
const (
	Current  InForce = "current"
	LastGood InForce = "lastGood"
	None     InForce = "none"
)

// ObjectStatus is what became of one object: what its conditions are made of.
type ObjectStatus struct {
	Object  diag.Object `json:"object"`
	File    string      `json:"file,omitempty"`
	InForce InForce     `json:"inForce"`
	// Accepted: the current form is in force. Reason and Message tell why not,
	// or what to know of it.
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Result is what compile makes.
type Result struct {
	Mesh *ir.Mesh
	// Diagnostics in their stable order.
	Diagnostics []diag.Diagnostic
	// Objects by key.
	Objects []ObjectStatus
	// Protocols in force, built-in ones included, by name.
	Protocols []Protocol
	// Accepted are the objects whose current form is in force, with its hash:
	// the source keeps these forms as last good.
	Accepted map[resource.Key]string
}

// Status returns the status of the object, nil if there is no such object.
func (r *Result) Status(o diag.Object) *ObjectStatus {
	i, ok := slices.BinarySearchFunc(r.Objects, o, func(s ObjectStatus, o diag.Object) int { return s.Object.Compare(o) })
	if !ok {
		return nil
	}
	return &r.Objects[i]
}

// Protocol returns the protocol in force that port names call so, nil if there
// is none.
func (r *Result) Protocol(name string) *Protocol {
	i, ok := slices.BinarySearchFunc(r.Protocols, name, func(p Protocol, n string) int { return strings.Compare(p.Name, n) })
	if !ok {
		return nil
	}
	return &r.Protocols[i]
}

// Compile compiles the snapshot.
func Compile(s *resource.Snapshot, o Options) *Result {
	if o.RootNamespace == "" {
		o.RootNamespace = "istio-system"
	}
	c := &compiler{options: o, mesh: &ir.Mesh{}, services: map[string]*service{}, clusters: map[string]ir.Cluster{},
		status: map[resource.Key]*ObjectStatus{}, accepted: map[resource.Key]string{}}
	c.compileProtocols(s.ApplicationProtocols)
	c.compileWorkloads(s.WorkloadEntries)
	c.compileServices(s.ServiceEntries)
	c.compileDestinationRules(s.DestinationRules)
	c.compileClusters()
	c.compileRouters(s.MetaRouters)
	return c.result()
}

// compiler is the state of one Compile.
type compiler struct {
	options     Options
	protocols   map[string]Protocol
	workloads   []workload
	services    map[string]*service // by host
	clusters    map[string]ir.Cluster
	mesh        *ir.Mesh
	diagnostics []diag.Diagnostic
	status      map[resource.Key]*ObjectStatus
	accepted    map[resource.Key]string
}

func (c *compiler) result() *Result {
	for _, s := range c.services {
		c.mesh.Services = append(c.mesh.Services, s.Service)
	}
	for _, cl := range c.clusters {
		c.mesh.Clusters = append(c.mesh.Clusters, cl)
	}
	slices.SortFunc(c.mesh.Services, func(a, b ir.Service) int { return strings.Compare(a.Host, b.Host) })
	slices.SortFunc(c.mesh.Clusters, func(a, b ir.Cluster) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.mesh.RouteTables, func(a, b ir.RouteTable) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.mesh.Gateways, func(a, b ir.Gateway) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	r := &Result{Mesh: c.mesh, Diagnostics: diag.Sort(c.diagnostics), Accepted: c.accepted}
	for _, name := range c.protocolNames() {
		r.Protocols = append(r.Protocols, c.protocols[name])
	}
	for _, s := range c.status {
		r.Objects = append(r.Objects, *s)
	}
	slices.SortFunc(r.Objects, func(a, b ObjectStatus) int { return a.Object.Compare(b.Object) })
	return r
}
