package xds

import (
	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// limits returns nil where the proxy's defaults hold, so that who sets none
// has the bytes of a version that knows none.
func limits(l ir.Limits) *proxyv1.Limits {
	if l == (ir.Limits{}) {
		return nil
	}
	return &proxyv1.Limits{
		MaxMessageBytes:          l.MaxMessageBytes,
		MaxProperties:            l.MaxProperties,
		MaxConnections:           l.MaxConnections,
		MaxRequestsPerConnection: l.MaxRequestsPerConnection,
		MaxRequests:              l.MaxRequests,
	}
}
