package compile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// rule is a DestinationRule. A nil rule has the defaults.
type rule struct {
	top     policies
	subsets map[string]subset
	// at is where each subset's traffic policy is; "" for the host's own.
	at map[string]string
}

type subset struct {
	labels map[string]string
	policies
}

// policies are a traffic policy and its exceptions by port.
type policies struct {
	all   policy
	ports map[uint32]policy
}

// policy is what is in force of a traffic policy; zero fields say nothing.
type policy struct {
	balancer       ir.LoadBalancer
	hash           []ir.Hash
	minRing        uint64
	connectTimeout time.Duration
	idleTimeout    *time.Duration // 0: never, where a wider policy says otherwise
}

// policy returns the policy of a cluster: a subset's own goes before the
// host's, a port's before that of all ports.
func (r *rule) policy(name string, port uint32) policy {
	out := policy{balancer: ir.LeastRequest, connectTimeout: defaultConnectTimeout}
	if r == nil {
		return out
	}
	out.apply(r.top.all)
	out.apply(r.top.ports[port])
	if s, ok := r.subsets[name]; ok {
		out.apply(s.all)
		out.apply(s.ports[port])
	}
	return out
}

// apply puts what the narrower policy says before what p says.
func (p *policy) apply(narrower policy) {
	if narrower.balancer != "" {
		p.balancer, p.hash, p.minRing = narrower.balancer, narrower.hash, narrower.minRing
	}
	if narrower.connectTimeout > 0 {
		p.connectTimeout = narrower.connectTimeout
	}
	if narrower.idleTimeout != nil {
		p.idleTimeout = narrower.idleTimeout
	}
}

func (r *rule) subsetNames() []string {
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.subsets))
}

// compileDestinationRules gives each service the oldest rule of its own
// namespace or, if that has none, of the root namespace.
func (c *compiler) compileDestinationRules(objects []resource.Object[*networkingv1.DestinationRule]) {
	type made = chosen[*networkingv1.DestinationRule, *rule]
	var forms []made
	for _, o := range objects {
		if ch, ok := choose(c, o, "the service has the defaults and no subsets", c.destinationRule); ok {
			forms = append(forms, ch)
		}
	}
	slices.SortStableFunc(forms, func(a, b made) int { return a.form.Older(&b.form.Meta) })
	owner := map[string]resource.Key{}
	for _, root := range []bool{false, true} {
		for _, ch := range forms {
			s := c.services[ch.form.Spec.Host]
			inRoot := ch.form.Key.Namespace == c.options.RootNamespace
			if s == nil || root && !inRoot || !root && ch.form.Key.Namespace != s.Namespace || owner[s.Host] == ch.form.Key {
				continue
			}
			if first, taken := owner[s.Host]; taken {
				c.refuse(&ch.form.Meta, conflict("spec.host", "Conflicted", "put both into one", "%s has host %s already", first, s.Host))
				continue
			}
			owner[s.Host], s.rule = ch.form.Key, ch.made
			c.report(&ch.form.Meta, c.tellHash(s, ch.made))
		}
	}
	for _, ch := range forms {
		c.tellIdleRule(ch.form)
	}
}

func (c *compiler) tellIdleRule(f *resource.Form[*networkingv1.DestinationRule]) {
	s := c.services[f.Spec.Host]
	switch {
	case s == nil:
		c.report(&f.Meta, findings{{field: "spec.host", reason: reasonHostNotFound, next: "write the fully qualified host of a ServiceEntry",
			message: fmt.Sprintf("no managed service has host %q: the rule has no effect here", f.Spec.Host)}})
	case f.Key.Namespace != s.Namespace && f.Key.Namespace != c.options.RootNamespace:
		c.report(&f.Meta, findings{{field: "metadata.namespace", reason: "NotTheOwner", next: "move it to namespace " + s.Namespace,
			message: "rules are in force in the namespace of their host and in the root namespace"}})
	}
}

func (c *compiler) destinationRule(f *resource.Form[*networkingv1.DestinationRule]) (*rule, findings) {
	var found findings
	if f.Spec.Host == "" {
		found.add(fault, "spec.host", "Required", "name the service", "the host is empty")
	}
	if f.Spec.WorkloadSelector != nil {
		found.add(fault, "spec.workloadSelector", "NotSupported", "remove it", "rules for some clients only are not supported yet")
	}
	r := &rule{top: trafficPolicies(&found, "spec.trafficPolicy", f.Spec.TrafficPolicy), subsets: map[string]subset{},
		at: map[string]string{"": "spec.trafficPolicy.loadBalancer"}}
	for i, s := range f.Spec.Subsets {
		at := fmt.Sprintf("spec.subsets[%d]", i)
		if _, twice := r.subsets[s.Name]; twice || s.Name == "" {
			found.add(fault, at+".name", "Invalid", "give each subset a name of its own", "the subset's name %q is empty or taken", s.Name)
		}
		r.at[s.Name] = at
		r.subsets[s.Name] = subset{labels: s.Labels, policies: trafficPolicies(&found, at+".trafficPolicy", s.TrafficPolicy)}
		tellSubsetIdle(&found, at+".trafficPolicy", s.TrafficPolicy)
	}
	return r, found
}

func trafficPolicies(found *findings, at string, t *networkingv1.TrafficPolicy) policies {
	if t == nil {
		return policies{}
	}
	notInForce(found, at, "tls", t.Tls != nil)
	notInForce(found, at, "outlierDetection", t.OutlierDetection != nil)
	notInForce(found, at, "tunnel", t.Tunnel != nil)
	notInForce(found, at, "proxyProtocol", t.ProxyProtocol != nil)
	out := policies{ports: map[uint32]policy{}}
	out.all = newPolicy(found, at, t.LoadBalancer, t.ConnectionPool)
	for i, p := range t.PortLevelSettings {
		pat := fmt.Sprintf("%s.portLevelSettings[%d]", at, i)
		notInForce(found, pat, "tls", p.Tls != nil)
		notInForce(found, pat, "outlierDetection", p.OutlierDetection != nil)
		if p.Port == nil {
			found.add(fault, pat+".port", "Required", "add port: {number: …}", "the setting names no port")
			continue
		}
		out.ports[p.Port.Number] = newPolicy(found, pat, p.LoadBalancer, p.ConnectionPool)
	}
	return out
}

// notInForce tells of what Istio's users may well have and this version does
// not do: it takes nothing from what the rule says otherwise.
func notInForce(found *findings, at, field string, set bool) {
	if set {
		found.add(note, at+"."+field, "NotInForce", "", "%s is accepted but not in force yet", field)
	}
}

func newPolicy(found *findings, at string, lb *networkingv1.LoadBalancerSettings, pool *networkingv1.ConnectionPoolSettings) policy {
	var p policy
	if lb != nil {
		p.balancer, p.hash = balancer(found, at+".loadBalancer", lb)
		if p.minRing = minRing(lb.GetConsistentHash()); p.minRing > maxRing {
			found.add(fault, at+".loadBalancer.consistentHash", "Invalid", "", "a ring of %d is over the limit of %d", p.minRing, maxRing)
		}
	}
	if pool == nil {
		return p
	}
	if t := pool.Tcp; t != nil {
		p.connectTimeout = t.ConnectTimeout.AsDuration()
		p.idleTimeout = idleTimeout(found, at+".connectionPool.tcp.idleTimeout", t.IdleTimeout)
		notInForce(found, at+".connectionPool.tcp", "maxConnections", t.MaxConnections != 0)
		notInForce(found, at+".connectionPool.tcp", "tcpKeepalive", t.TcpKeepalive != nil)
		notInForce(found, at+".connectionPool.tcp", "maxConnectionDuration", t.MaxConnectionDuration != nil)
	}
	notInForce(found, at+".connectionPool", "http", pool.Http != nil)
	return p
}

func balancer(found *findings, at string, lb *networkingv1.LoadBalancerSettings) (ir.LoadBalancer, []ir.Hash) {
	notInForce(found, at, "localityLbSetting", lb.LocalityLbSetting != nil)
	//lint:ignore SA1019 deprecated by Istio, still what users have
	notInForce(found, at, "warmup", lb.Warmup != nil || lb.WarmupDurationSecs != nil)
	if h := lb.GetConsistentHash(); h != nil {
		notInForce(found, at+".consistentHash", "maglev", h.GetMaglev() != nil)
		return ir.RingHash, hashOf(found, at+".consistentHash", h)
	}
	switch lb.GetSimple() {
	//lint:ignore SA1019 deprecated by Istio, still what users have
	case networkingv1.LoadBalancerSettings_UNSPECIFIED, networkingv1.LoadBalancerSettings_LEAST_REQUEST, networkingv1.LoadBalancerSettings_LEAST_CONN:
		return ir.LeastRequest, nil
	case networkingv1.LoadBalancerSettings_ROUND_ROBIN:
		return ir.RoundRobin, nil
	case networkingv1.LoadBalancerSettings_RANDOM:
		return ir.Random, nil
	}
	found.add(fault, at+".simple", "LoadBalancerNotSupported", "use ROUND_ROBIN, LEAST_REQUEST or RANDOM", "%s is not possible where each request is balanced", lb.GetSimple())
	return "", nil
}

// maxRing is what proxies take.
const maxRing = 1 << 20

func minRing(h *networkingv1.LoadBalancerSettings_ConsistentHashLB) uint64 {
	if r := h.GetRingHash(); r != nil {
		return r.GetMinimumRingSize()
	}
	//lint:ignore SA1019 deprecated by Istio, still what users have
	return h.GetMinimumRingSize()
}

// hashOf: the "header" of httpHeaderName is an attribute, as upstream has it.
func hashOf(found *findings, at string, h *networkingv1.LoadBalancerSettings_ConsistentHashLB) []ir.Hash {
	switch {
	case h.GetHttpHeaderName() != "":
		return []ir.Hash{{Property: h.GetHttpHeaderName()}}
	case h.GetUseSourceIp():
		return []ir.Hash{{SourceAddress: true}}
	}
	found.add(fault, at, "HashNotSupported", "use httpHeaderName with the name of an attribute, or useSourceIp: true", "the consistent hash names nothing that requests of any protocol have")
	return nil
}
