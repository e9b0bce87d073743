package compile

import (
	"fmt"
	"slices"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// hash returns what the route's consistent-hash destinations hash: what the
// route says, else what the DestinationRule of its first such destination says.
func (r *routing) hash(at string, in *metarouterv1.MetaRoute) []ir.Hash {
	var out []ir.Hash
	for i, h := range in.HashPolicy {
		if h.SourceAddress {
			out = append(out, ir.Hash{SourceAddress: true})
			continue
		}
		full, _, err := r.protocol.attribute(h.Attribute)
		if err != nil {
			r.found.add(fault, fmt.Sprintf("%s.hashPolicy[%d].attribute", at, i), "UnknownAttribute", "these are the attributes of "+r.protocol.Name, "%v", err)
			continue
		}
		out = append(out, ir.Hash{Property: full})
	}
	if len(in.HashPolicy) > 0 {
		return out
	}
	for i, d := range in.Route {
		hashed := r.c.clusterHash(r.destinationPort(d.Destination), d.Destination)
		if len(hashed) > 0 && len(out) > 0 && !slices.Equal(hashed, out) {
			r.found.add(note, fmt.Sprintf("%s.route[%d].destination", at, i), "HashDiffers", "write a hashPolicy in the route", "its DestinationRule hashes something else than that of the first destination, which counts")
		}
		if len(out) == 0 {
			out = hashed
		}
	}
	return out
}

func (r *routing) destinationPort(d *metarouterv1.Destination) uint32 {
	s := r.c.services[d.Host]
	switch {
	case d.Port != nil:
		return d.Port.Number
	case s != nil && s.Port(r.port.Number) == nil && len(s.Ports) == 1:
		return s.Ports[0].Number
	}
	return r.port.Number
}

// clusterHash returns what the DestinationRule of the destination says, with
// attributes in their full spelling; those that the protocol does not have were
// told at the rule and are left out.
func (c *compiler) clusterHash(port uint32, d *metarouterv1.Destination) []ir.Hash {
	s := c.services[d.Host]
	if s == nil {
		return nil
	}
	var out []ir.Hash
	known := s.protocols[port]
	for _, h := range s.rule.policy(d.Subset, port).hash {
		if h.Property != "" {
			full, _, err := known.attribute(h.Property)
			if err != nil {
				continue
			}
			h.Property = full
		}
		out = append(out, h)
	}
	return out
}

// tellHash reports attributes to hash that no managed port's protocol has.
func (c *compiler) tellHash(s *service, r *rule) findings {
	var found findings
	for _, p := range s.Ports {
		known := s.protocols[p.Number]
		for _, name := range append([]string{""}, r.subsetNames()...) {
			for _, h := range r.policy(name, p.Number).hash {
				if _, _, err := known.attribute(h.Property); h.Property != "" && err != nil {
					found.add(note, r.at[name], "UnknownAttribute", "name an attribute of the protocol", "requests of port %d are spread at random: %v", p.Number, err)
				}
			}
		}
	}
	return found
}
