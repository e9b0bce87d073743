package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// SharingAnnotation of a ServiceEntry says whether clients may share upstream
// connections to it: "shared" or "leased". Without it, as the protocol's
// servers work.
const SharingAnnotation = "aeraki.io/upstream-sharing"

// service is a host with what its clusters are made of.
type service struct {
	ir.Service
	meta      *resource.Meta
	protocols map[uint32]Protocol // by port
	discovery ir.Discovery
	endpoints []endpoint
	rule      *rule // nil: no DestinationRule
}

// endpoint is an endpoint with its port for every port of the service.
type endpoint struct {
	address string
	weight  uint32
	labels  map[string]string
	// ports are the endpoint's own, by name; target those of the service, by
	// number. Both are the resources'.
	ports  map[string]uint32
	target map[uint32]uint32
}

// port returns the endpoint's port for one of the service: its own by name,
// then the service's target port, then the same number.
func (e *endpoint) port(p *ir.Port) uint32 {
	if n := e.ports[p.Name]; n != 0 {
		return n
	}
	return cmp.Or(e.target[p.Number], p.Number)
}

func (c *compiler) compileServices(objects []resource.Object[*networkingv1.ServiceEntry]) {
	type made = chosen[*networkingv1.ServiceEntry, []*service]
	var forms []made
	for _, o := range objects {
		if ch, ok := choose(c, o, "the service is not served", c.serviceEntry); ok {
			forms = append(forms, ch)
		}
	}
	slices.SortStableFunc(forms, func(a, b made) int { return a.form.Older(&b.form.Meta) })
	for _, ch := range forms {
		lost := 0
		for i, s := range ch.made {
			if first, taken := c.services[s.Host]; taken {
				lost++
				f := conflict(fmt.Sprintf("spec.hosts[%d]", i), "Conflicted", "remove the host from one of them", "%s has host %s already", first.meta.Key, s.Host)
				if lost == len(ch.made) {
					c.refuse(&ch.form.Meta, f)
				} else {
					c.report(&ch.form.Meta, findings{f})
				}
				continue
			}
			c.services[s.Host] = s
		}
	}
}

// serviceEntry makes a service of each host. A ServiceEntry without a managed
// port makes none: it is nobody's business here.
func (c *compiler) serviceEntry(f *resource.Form[*networkingv1.ServiceEntry]) ([]*service, findings) {
	var found findings
	base := service{meta: &f.Meta, protocols: map[uint32]Protocol{}}
	base.Namespace, base.ExportTo = f.Key.Namespace, exportTo(f.Spec.ExportTo, f.Key.Namespace)
	for i, p := range f.Spec.Ports {
		c.servicePort(&base, &found, fmt.Sprintf("spec.ports[%d]", i), p)
	}
	if len(base.Ports) == 0 {
		return nil, found
	}
	slices.SortFunc(base.Ports, func(a, b ir.Port) int { return cmp.Compare(a.Number, b.Number) })
	base.Sharing, base.Limits = sharing(&found, f.Annotations), limits(&found, f.Annotations)
	c.serviceEndpoints(&base, &found, f)
	if len(f.Spec.Hosts) == 0 {
		found.add(fault, "spec.hosts", "Required", "name the service", "there is no host")
	}
	var services []*service
	for i, host := range f.Spec.Hosts {
		if host == "" || strings.Contains(host, "*") {
			found.add(fault, fmt.Sprintf("spec.hosts[%d]", i), "BadHost", "write the whole name", "%q is not one fully qualified name, which a managed port needs", host)
			continue
		}
		services = append(services, base.forHost(host))
	}
	return services, found
}

func (s service) forHost(host string) *service {
	s.Host = host
	s.Ports = slices.Clone(s.Ports)
	for i := range s.Ports {
		s.Ports[i].Table = ir.TableName(host, s.Ports[i].Number)
	}
	if s.discovery == ir.DNS && s.endpoints == nil {
		s.endpoints = []endpoint{{address: host, weight: 1}}
	}
	return &s
}

func (c *compiler) servicePort(s *service, found *findings, at string, p *networkingv1.ServicePort) {
	name, explicit := portProtocol(p.Name)
	known, ok := c.protocols[name]
	if !ok && !explicit {
		// A ServiceEntry has no appProtocol; its protocol field takes the same
		// grammar, and the bare name.
		name, explicit = portProtocol(p.Protocol)
		if known, ok = c.protocols[name]; !ok && !explicit {
			known, ok = c.protocols[strings.ToLower(p.Protocol)]
			if ok {
				found.add(note, at+".protocol", "BareProtocol", "write tcp-"+known.Name, "istiod sniffs ports of protocol %q", p.Protocol)
			}
		}
	}
	switch {
	case !ok && explicit && name == "":
		found.add(fault, at+".name", "NoProtocol", "write tcp-metaprotocol-<protocol>", "port %q names no protocol", p.Name)
	case !ok && explicit:
		found.add(fault, at+".name", "UnknownProtocol", "known are "+strings.Join(c.protocolNames(), ", ")+"; others need an ApplicationProtocol",
			"port %q is of protocol %q, which is not known", p.Name, name)
	case !ok:
	case p.Number == 0 || p.Number > 65535:
		found.add(fault, at+".number", "Invalid", "", "%d is no port", p.Number)
	case s.Port(p.Number) != nil:
		found.add(fault, at+".number", "Invalid", "", "port %d is there twice", p.Number)
	default:
		s.Ports = append(s.Ports, ir.Port{Number: p.Number, Name: p.Name, Protocol: known.Name, Codec: known.Codec})
		s.protocols[p.Number] = known
	}
}

func (c *compiler) protocolNames() []string {
	names := make([]string, 0, len(c.protocols))
	for n := range c.protocols {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func exportTo(in []string, namespace string) []string {
	if len(in) == 0 {
		return []string{"*"}
	}
	out := make([]string, len(in))
	for i, e := range in {
		if e == "." {
			e = namespace
		}
		out[i] = e
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sharing(found *findings, annotations map[string]string) ir.Sharing {
	switch v := ir.Sharing(annotations[SharingAnnotation]); v {
	case ir.SharingProtocol, ir.SharingLeased, ir.SharingShared:
		return v
	default:
		found.add(fault, "metadata.annotations."+SharingAnnotation, "Invalid", "write shared or leased", "%q says nothing about upstream connections", v)
		return ir.SharingProtocol
	}
}

func (c *compiler) serviceEndpoints(s *service, found *findings, f *resource.Form[*networkingv1.ServiceEntry]) {
	spec := f.Spec
	switch spec.Resolution {
	case networkingv1.ServiceEntry_STATIC:
		s.discovery = ir.Static
	case networkingv1.ServiceEntry_DNS, networkingv1.ServiceEntry_DNS_ROUND_ROBIN:
		s.discovery = ir.DNS
	default:
		found.add(fault, "spec.resolution", "ResolutionNotSupported", "use STATIC or DNS", "requests cannot be balanced with resolution %s", spec.Resolution)
		return
	}
	if len(spec.Endpoints) > 0 && spec.WorkloadSelector != nil {
		found.add(fault, "spec.workloadSelector", "Invalid", "remove one of them", "endpoints and workloadSelector exclude each other")
		return
	}
	target := targets(spec)
	s.endpoints = slices.Grow(s.endpoints, len(spec.Endpoints))
	for i, e := range spec.Endpoints {
		if !isIP(e.Address) {
			at := fmt.Sprintf("spec.endpoints[%d].address", i)
			if checkAddress(found, at, e.Address) && s.discovery == ir.Static {
				found.add(fault, at, "NotAnAddress", "write an IP address, or resolution: DNS", "%q is not an IP address", e.Address)
			}
		}
		s.endpoints = append(s.endpoints, newEndpoint(target, e, e.Labels))
	}
	if spec.WorkloadSelector != nil {
		c.selectEndpoints(s, found, f)
	} else if s.discovery == ir.Static && len(spec.Endpoints) == 0 {
		found.add(fault, "spec.endpoints", "Required", "add endpoints or a workloadSelector, or write resolution: DNS", "the service has no endpoints")
	}
}

func (c *compiler) selectEndpoints(s *service, found *findings, f *resource.Form[*networkingv1.ServiceEntry]) {
	s.endpoints = []endpoint{}
	target := targets(f.Spec)
	for _, w := range c.selected(f.Key.Namespace, f.Spec.WorkloadSelector.Labels) {
		if s.discovery == ir.Static && !isIP(w.form.Spec.Address) {
			found.add(note, "spec.workloadSelector", "NotAnAddress", "write an IP address there, or resolution: DNS here",
				"%s is left out: its address %q is not an IP address", w.form.Key, w.form.Spec.Address)
			continue
		}
		s.endpoints = append(s.endpoints, newEndpoint(target, w.form.Spec, w.labels()))
	}
	if len(s.endpoints) == 0 {
		found.add(note, "spec.workloadSelector", "NoEndpoints", "add a WorkloadEntry with these labels in namespace "+f.Key.Namespace, "no WorkloadEntry has the labels: the service has no endpoints")
	}
}

// targets are the target ports of the service, by number.
func targets(spec *networkingv1.ServiceEntry) map[uint32]uint32 {
	out := map[uint32]uint32{}
	for _, p := range spec.Ports {
		if p.TargetPort != 0 {
			out[p.Number] = p.TargetPort
		}
	}
	return out
}

func newEndpoint(target map[uint32]uint32, e *networkingv1.WorkloadEntry, labels map[string]string) endpoint {
	return endpoint{address: e.Address, weight: max(e.Weight, 1), labels: labels, ports: e.Ports, target: target}
}

func checkAddress(found *findings, at, address string) bool {
	if address == "" || strings.Contains(address, "://") || strings.ContainsAny(address, " /*") {
		found.add(fault, at, "NotAnAddress", "write an IP address or a DNS name", "%q is neither an IP address nor a DNS name", address)
		return false
	}
	return true
}

func isIP(address string) bool {
	_, err := netip.ParseAddr(address)
	return err == nil
}
