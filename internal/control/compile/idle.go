package compile

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	networkingv1 "istio.io/api/networking/v1alpha3"
)

// idle returns trafficPolicy.connectionPool.tcp.idleTimeout for the port: how
// long a client's connection may be without a request, on outbound, inbound
// and gateway listeners; 0: for ever. Unlike Istio there is no default of one
// hour: a service without rules behaves as without a proxy.
func (r *rule) idle(port uint32) time.Duration {
	if t := r.policy("", port).idleTimeout; t != nil {
		return *t
	}
	return 0
}

// minIdle is the shortest that Istio takes.
const minIdle = time.Millisecond

func idleTimeout(found *findings, at string, d *durationpb.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	t := d.AsDuration()
	if t != 0 && t < minIdle {
		found.add(fault, at, "OutOfRange", "write at least 1ms, or 0s for none", "an idle timeout of %v is too short", t)
	}
	return &t
}

// tellSubsetIdle: a client's connection has requests for every subset, so that
// none of them can say when it is idle.
func tellSubsetIdle(found *findings, at string, t *networkingv1.TrafficPolicy) {
	tell := func(at string, pool *networkingv1.ConnectionPoolSettings) {
		if pool.GetTcp().GetIdleTimeout() != nil {
			found.add(note, at+".connectionPool.tcp.idleTimeout", "NotInForce", "set it in spec.trafficPolicy", "the idle timeout is one of the whole service, not of a subset")
		}
	}
	tell(at, t.GetConnectionPool())
	for i, p := range t.GetPortLevelSettings() {
		tell(fmt.Sprintf("%s.portLevelSettings[%d]", at, i), p.GetConnectionPool())
	}
}
