package compile

import (
	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

func (r *routing) mirror(at string, in *metarouterv1.MetaRoute) *ir.Mirror {
	if in.Mirror == nil {
		return nil
	}
	m := &ir.Mirror{Cluster: r.destination(at+".mirror", in.Mirror), Percent: 100}
	if in.MirrorPercentage != nil {
		m.Percent = in.MirrorPercentage.Value
	}
	return m
}
