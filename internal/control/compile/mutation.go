package compile

import (
	"fmt"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

func (r *routing) mutation(at string, in *metarouterv1.MetaRoute) *ir.MutationFilter {
	m := &ir.MutationFilter{
		Request:  r.mutations(at+".requestMutation", in.RequestMutation),
		Response: r.mutations(at+".responseMutation", in.ResponseMutation),
	}
	if m.Request == nil && m.Response == nil {
		return nil
	}
	return m
}

func (r *routing) mutations(at string, in []metarouterv1.KeyValue) []ir.Mutation {
	var out []ir.Mutation
	for i, kv := range in {
		field := fmt.Sprintf("%s[%d].key", at, i)
		full, mutable, err := r.protocol.attribute(kv.Key)
		switch {
		case err != nil:
			r.found.add(fault, field, "UnknownAttribute", "these are the attributes of "+r.protocol.Name, "%v", err)
			continue
		case !r.protocol.Open && !r.protocol.Schema.Mutable:
			r.found.add(fault, field, "NotMutable", "remove the mutation", "messages of %s carry nothing that can be changed", r.protocol.Name)
			continue
		case !mutable:
			r.found.add(fault, field, "NotMutable", r.protocol.mutableAdvice(), "%s of %s can be read but not changed", full, r.protocol.Name)
			continue
		}
		op := kv.Op
		if op == "" {
			op = "set"
		}
		out = append(out, ir.Mutation{Op: op, Property: full, Value: kv.Value})
	}
	return out
}
