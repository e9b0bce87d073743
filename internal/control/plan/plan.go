// Package plan decides which mode serves which port for which proxy. Without a
// mesh there is one mode; the tables of what stock Envoy can do come here.
package plan

import (
	"fmt"
	"slices"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// Mode is who proxies a port's requests.
type Mode string

// Standalone is aeraki-proxy. Refused: the proxy cannot serve the port.
const (
	Standalone Mode = "standalone"
	Refused    Mode = "refused"
)

// Capabilities are what a proxy announced that it can do.
type Capabilities struct {
	// Protocols are the names of its codecs.
	Protocols []string
	// Filters are the names of its layer-7 filters.
	Filters []string
}

// Decision is the mode and, if it is Refused, why.
type Decision struct {
	Mode   Mode
	Reason string
}

// Port decides for a port whose codec is the given one.
func Port(c Capabilities, codec string) Decision {
	if !slices.Contains(c.Protocols, codec) {
		return Decision{Refused, fmt.Sprintf("the proxy has no codec %q, only %v", codec, c.Protocols)}
	}
	return Decision{Mode: Standalone}
}

// Table decides for a route table: a proxy that lacks one of its filters must
// not get it, because a rule that is left out may have been a denial.
func Table(c Capabilities, filters []string) Decision {
	for _, f := range filters {
		if !slices.Contains(c.Filters, f) {
			return Decision{Refused, fmt.Sprintf("the proxy has no filter %q, only %v", f, c.Filters)}
		}
	}
	return Decision{Mode: Standalone}
}

// Filters returns the names of the filters that the table's routes need.
func Filters(t *ir.RouteTable) []string {
	var mirror, mutation bool
	for i := range t.Routes {
		mirror = mirror || t.Routes[i].Mirror != nil
		mutation = mutation || t.Routes[i].Mutation != nil
	}
	var out []string
	if mirror {
		out = append(out, FilterMirror)
	}
	if mutation {
		out = append(out, FilterMutation)
	}
	return out
}

// Names of the filters that routes are translated to.
const (
	FilterMirror   = "mirror"
	FilterMutation = "mutation"
)
