package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/lint/nearest"
)

// Question describes a request.
type Question struct {
	// Host is the service, fully qualified; Port one of its managed ports, 0:
	// the only one.
	Host string
	Port uint32
	// Caller is the workload that asks; nil: one of which nothing is known, so
	// that no rule on the source holds.
	Caller *Caller
	// Gateway is the gateway that the request comes through, as
	// namespace/name; empty: the caller's own proxy. A gateway does not know
	// its callers.
	Gateway string
	// Attributes are what the request says, by name.
	Attributes map[string]string
}

// Caller is a calling workload.
type Caller struct {
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// place is where a request arrives.
type place struct {
	service *ir.Service
	port    *ir.Port
	table   *ir.RouteTable
}

func find(r *controller.Result, q *Question) (place, error) {
	s := r.Mesh.Service(q.Host)
	if s == nil {
		return place{}, unknownHost(r.Mesh, q.Host)
	}
	p, err := port(s, q.Port)
	if err != nil {
		return place{}, err
	}
	name, err := tableName(r.Mesh, s, p, q)
	if err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(r.Mesh.RouteTables, func(t ir.RouteTable) bool { return t.Name == name })
	if i < 0 {
		return place{}, fmt.Errorf("explain: there is no route table %q", name)
	}
	return place{s, p, &r.Mesh.RouteTables[i]}, nil
}

func unknownHost(m *ir.Mesh, host string) error {
	hosts := Hosts(m)
	switch near := nearest.Of(host, hosts); {
	case near != "":
		return fmt.Errorf("no managed service has host %q; did you mean %s?", host, near)
	case len(hosts) == 0:
		return fmt.Errorf("no managed service has host %q: the folder has no ServiceEntry with a port named tcp-metaprotocol-<protocol>; add one", host)
	}
	return fmt.Errorf("no managed service has host %q; the folder has %s", host, strings.Join(hosts, ", "))
}

// Hosts lists the managed services.
func Hosts(m *ir.Mesh) []string {
	out := make([]string, len(m.Services))
	for i := range m.Services {
		out[i] = m.Services[i].Host
	}
	return out
}

func port(s *ir.Service, number uint32) (*ir.Port, error) {
	if number == 0 && len(s.Ports) == 1 {
		return &s.Ports[0], nil
	}
	if p := s.Port(number); p != nil {
		return p, nil
	}
	numbers := make([]string, len(s.Ports))
	for i, p := range s.Ports {
		numbers[i] = strconv.FormatUint(uint64(p.Number), 10)
	}
	if number == 0 {
		return nil, fmt.Errorf("%s has several managed ports; name one of %s", s.Host, strings.Join(numbers, ", "))
	}
	return nil, fmt.Errorf("%s has no managed port %d; name one of %s", s.Host, number, strings.Join(numbers, ", "))
}

func tableName(m *ir.Mesh, s *ir.Service, p *ir.Port, q *Question) (string, error) {
	if q.Gateway != "" {
		for _, g := range m.Gateways {
			if g.Name == q.Gateway && g.Port == p.Number && g.Host == s.Host {
				return g.Table, nil
			}
		}
		return "", fmt.Errorf("no MetaRouter of %s is for port %d of gateway %q; name the gateway in its spec.gateways", s.Host, p.Number, q.Gateway)
	}
	if q.Caller == nil {
		return p.Table, nil
	}
	if !s.VisibleFrom(q.Caller.Namespace) {
		return "", fmt.Errorf("%s is not exported to namespace %q; see exportTo of its ServiceEntry", s.Host, q.Caller.Namespace)
	}
	return p.TableFor(q.Caller.Namespace), nil
}

// Attribute is what the request says.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// describe makes a request of the attributes and returns them in their full
// spelling, by name.
func describe(properties []codec.Property, in map[string]string) (request, []Attribute, error) {
	r := request{}
	var out []Attribute
	for _, name := range slices.Sorted(maps.Keys(in)) {
		ref, err := codec.FindProperty(properties, name)
		if err != nil {
			return nil, nil, fmt.Errorf("%w%s", err, meant(properties, name))
		}
		full := codec.RefName(properties, ref)
		if _, twice := r[ref]; twice {
			return nil, nil, fmt.Errorf("attribute %s is given twice; leave one of them out", full)
		}
		v := codec.Value{Bytes: []byte(in[name])}
		if properties[ref.Property].Type == codec.Int {
			n, err := strconv.ParseInt(in[name], 10, 64)
			if err != nil {
				return nil, nil, fmt.Errorf("attribute %s is an integer of 64 bits, which %q is not", full, in[name])
			}
			v = codec.Value{Int: n, IsInt: true}
		}
		r[ref] = v
		out = append(out, Attribute{full, in[name]})
	}
	return r, out, nil
}

// meant returns advice: the nearest name, or the name as a key of the only
// family.
func meant(properties []codec.Property, name string) string {
	if near := nearest.Of(name, codec.PropertyNames(properties)); near != "" {
		return "; did you mean " + near + "?"
	}
	families := slices.DeleteFunc(slices.Clone(properties), func(p codec.Property) bool { return !p.Keyed })
	if len(families) == 1 && !strings.Contains(name, "[") {
		return "; did you mean " + families[0].Name + "[" + name + "]?"
	}
	return ""
}

// Attributes lists what a request to the question's host may say, keyed ones
// as name[*]; none where the host or the properties are not known.
func Attributes(r *controller.Result, q Question) []string {
	at, err := find(r, &q)
	if err != nil {
		return nil
	}
	known, _ := properties(r, at.port, names(at.table))
	return codec.PropertyNames(known)
}
