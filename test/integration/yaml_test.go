package integration

import (
	"fmt"
	"net"
	"strings"
)

// service is a service as users write it: a ServiceEntry, and a
// DestinationRule with a subset per version.
type service struct {
	name, protocol string
	endpoints      []endpoint
	resolution     string // STATIC if empty
	policy         string // trafficPolicy of the DestinationRule, as flow YAML
	annotations    string // as flow YAML
}

// endpoint is HOST:PORT of a server, and its version ("" for none).
type endpoint struct{ addr, version string }

// port is the services' own; endpoints have theirs.
const port = 9090

func (s service) host() string { return s.name + ".test" }

func (s service) yaml() string {
	portName := "tcp-metaprotocol-" + s.protocol
	var b strings.Builder
	resolution := s.resolution
	if resolution == "" {
		resolution = "STATIC"
	}
	annotations := s.annotations
	if annotations == "" {
		annotations = "{}"
	}
	fmt.Fprintf(&b, "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: %s, namespace: test, annotations: %s}\nspec:\n  hosts: [%s]\n  resolution: %s\n"+
		"  ports: [{number: %d, name: %s, protocol: TCP}]\n  endpoints:\n", s.name, annotations, s.host(), resolution, port, portName)
	versions := map[string]bool{}
	var subsets []string
	for _, e := range s.endpoints {
		host, p, err := net.SplitHostPort(e.addr)
		if err != nil {
			panic(err) // a mistake of the test
		}
		labels := "{}"
		if e.version != "" {
			labels = "{version: " + e.version + "}"
			if !versions[e.version] {
				subsets = append(subsets, fmt.Sprintf("{name: %s, labels: %s}", e.version, labels))
			}
			versions[e.version] = true
		}
		fmt.Fprintf(&b, "  - {address: %q, ports: {%s: %s}, labels: %s}\n", host, portName, p, labels)
	}
	fmt.Fprintf(&b, "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: %s, namespace: test}\nspec:\n  host: %s\n  subsets: [%s]\n",
		s.name, s.host(), strings.Join(subsets, ", "))
	if s.policy != "" {
		fmt.Fprintf(&b, "  trafficPolicy: %s\n", s.policy)
	}
	return b.String()
}

// outbound is a listener of that name for a service.
func (s service) outbound() string {
	return fmt.Sprintf("{name: %s, bind: \"127.0.0.1:0\", outbound: {host: %s, port: %d}}", s.name, s.host(), port)
}

// inbound is a listener beside a server of a service.
func (s service) inbound(server string) string {
	return fmt.Sprintf("{name: %s, bind: \"127.0.0.1:0\", inbound: {host: %s, port: %d, endpoint: %q}}", s.name, s.host(), port, server)
}

// router is a MetaRouter for the service with these routes.
func (s service) router(routes ...string) string {
	return fmt.Sprintf("apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {name: %s, namespace: test}\nspec:\n  hosts: [%s]\n  routes:\n  - %s\n",
		s.name, s.host(), strings.Join(routes, "\n  - "))
}

// route is a route of a router, as flow YAML. Match is the attributes ("" for
// all requests), more what else the route has.
func (s service) route(name, match, subset string, more ...string) string {
	return s.routeTo(name, match, s.to(subset, 100), more...)
}

func (s service) routeTo(name, match, destinations string, more ...string) string {
	if match != "" {
		match = "match: {attributes: {" + match + "}}, "
	}
	return fmt.Sprintf("{name: %s, %sroute: [%s]%s}", name, match, destinations, strings.Join(append([]string{""}, more...), ", "))
}

// to is one weighted destination.
func (s service) to(subset string, weight int) string {
	if subset != "" {
		subset = ", subset: " + subset
	}
	return fmt.Sprintf("{destination: {host: %s%s}, weight: %d}", s.host(), subset, weight)
}
