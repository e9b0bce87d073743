// Package filters lists the layer-7 filters that the stock proxy has. Who
// builds a proxy of their own passes this list, or another one.
package filters

import (
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filters/mirror"
	"github.com/aeraki-mesh/aeraki/filters/mutation"
)

// Builtin returns the stock filters.
func Builtin() []filter.Filter {
	return []filter.Filter{mutation.Filter{}, mirror.Filter{}}
}
