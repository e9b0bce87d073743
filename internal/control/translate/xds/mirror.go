package xds

import (
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/plan"
)

func mirrorFilter(m *ir.Mirror) (*proxyv1.Filter, error) {
	config, err := structpb.NewStruct(map[string]any{"cluster": m.Cluster, "percent": m.Percent})
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	return &proxyv1.Filter{Name: plan.FilterMirror, Config: config}, nil
}
