package explain_test

import (
	"testing"

	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/explain"
	"github.com/aeraki-mesh/aeraki/internal/explain/explaintest"
	"github.com/aeraki-mesh/aeraki/protocols"
)

func known() explain.Known {
	return explain.Known{Schemas: explain.Schemas(protocols.Builtin()), Filters: filters.Builtin()}
}

// Every table of requests takes the routes that it says.
func TestRequestsTakeTheirRoutes(t *testing.T) {
	explaintest.Run(t, "testdata", known())
}
