package explain

import (
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
)

// Known is what a program brings to a folder: the folder is compiled with its
// Schemas and explained with its Filters.
type Known struct {
	// Schemas are the built-in protocols by name.
	Schemas map[string]compile.ProtocolSchema
	// Filters are those that routes may name.
	Filters []filter.Filter
}

// Schemas returns what compile must know of the protocols, by name. A property
// is mutable only where the codec can carry edits at all.
func Schemas(protocols []codec.Protocol) map[string]compile.ProtocolSchema {
	out := make(map[string]compile.ProtocolSchema, len(protocols))
	for _, p := range protocols {
		t := p.Traits()
		_, mutable := p.(codec.Mutator)
		out[t.Name] = compile.ProtocolSchema{Properties: p.Properties(), Mutable: mutable, Parallel: t.Parallel}
	}
	return out
}
