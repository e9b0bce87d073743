package xds

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

func routeConfiguration(t *ir.RouteTable) (*proxyv1.RouteConfiguration, error) {
	out := &proxyv1.RouteConfiguration{Name: t.Name}
	for i := range t.Routes {
		r, err := route(&t.Routes[i])
		if err != nil {
			return nil, fmt.Errorf("xds: route table %q: %w", t.Name, err)
		}
		out.Routes = append(out.Routes, r)
	}
	return out, nil
}

func route(r *ir.Route) (*proxyv1.Route, error) {
	out := &proxyv1.Route{Name: r.Name}
	for i := range r.Matches {
		out.Matches = append(out.Matches, match(&r.Matches[i]))
	}
	for _, c := range r.Clusters {
		out.Clusters = append(out.Clusters, &proxyv1.WeightedCluster{Name: c.Name, Weight: c.Weight})
	}
	if r.Timeout > 0 {
		out.Timeout = durationpb.New(r.Timeout)
	}
	for _, h := range r.Hash {
		out.HashPolicy = append(out.HashPolicy, hashPolicy(h))
	}
	// A mirror gets the request as the mutations have changed it, whatever
	// the order; mutation stands first so that it reads like that.
	if r.Mutation != nil {
		f, err := mutationFilter(r.Mutation)
		if err != nil {
			return nil, err
		}
		out.Filters = append(out.Filters, f)
	}
	if r.Mirror != nil {
		f, err := mirrorFilter(r.Mirror)
		if err != nil {
			return nil, err
		}
		out.Filters = append(out.Filters, f)
	}
	return out, nil
}

func hashPolicy(h ir.Hash) *proxyv1.HashPolicy {
	if h.SourceAddress {
		return &proxyv1.HashPolicy{Policy: &proxyv1.HashPolicy_SourceAddress{SourceAddress: true}}
	}
	return &proxyv1.HashPolicy{Policy: &proxyv1.HashPolicy_Property{Property: h.Property}}
}

func match(m *ir.Match) *proxyv1.Match {
	out := &proxyv1.Match{}
	for i := range m.Properties {
		out.Properties = append(out.Properties, propertyMatch(&m.Properties[i]))
	}
	if m.Source != nil {
		out.Source = &proxyv1.SourceMatch{Labels: m.Source.Labels, Namespace: m.Source.Namespace}
	}
	return out
}

func propertyMatch(p *ir.PropertyMatch) *proxyv1.PropertyMatch {
	out := &proxyv1.PropertyMatch{Property: p.Property, Invert: p.Invert}
	switch p.Kind {
	case ir.Exact:
		out.Match = &proxyv1.PropertyMatch_Exact{Exact: p.Value}
	case ir.Prefix:
		out.Match = &proxyv1.PropertyMatch_Prefix{Prefix: p.Value}
	case ir.Suffix:
		out.Match = &proxyv1.PropertyMatch_Suffix{Suffix: p.Value}
	case ir.Regex:
		out.Match = &proxyv1.PropertyMatch_Regex{Regex: p.Value}
	case ir.Present:
		out.Match = &proxyv1.PropertyMatch_Present{Present: true}
	case ir.Absent:
		out.Match = &proxyv1.PropertyMatch_Present{Present: false}
	case ir.Range:
		out.Match = &proxyv1.PropertyMatch_Range{Range: &proxyv1.Range{Start: p.Start, End: p.End}}
	}
	return out
}
