package xds

import (
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/plan"
)

func mutationFilter(m *ir.MutationFilter) (*proxyv1.Filter, error) {
	fields := map[string]any{}
	if len(m.Request) > 0 {
		fields["request"] = edits(m.Request)
	}
	if len(m.Response) > 0 {
		fields["response"] = edits(m.Response)
	}
	config, err := structpb.NewStruct(fields)
	if err != nil {
		return nil, fmt.Errorf("mutation: %w", err)
	}
	return &proxyv1.Filter{Name: plan.FilterMutation, Config: config}, nil
}

func edits(in []ir.Mutation) []any {
	out := make([]any, len(in))
	for i, m := range in {
		e := map[string]any{"op": m.Op, "property": m.Property}
		if m.Op != "remove" {
			e["value"] = m.Value
		}
		out[i] = e
	}
	return out
}
