package explain

import (
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
)

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
