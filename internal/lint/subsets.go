package lint

import (
	"fmt"
	"slices"

	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// subsets finds those that no route uses and those that no endpoint is in.
func (l *linter) subsets() {
	used := usedClusters(l.r.Mesh)
	for _, o := range l.r.Snapshot.DestinationRules {
		f := current(l, o)
		if f == nil {
			continue
		}
		s := l.r.Mesh.Service(f.Spec.Host)
		if s == nil {
			continue
		}
		for i, subset := range f.Spec.Subsets {
			l.subset(f, s, fmt.Sprintf("spec.subsets[%d]", i), subset, used)
		}
	}
}

func (l *linter) subset(f *resource.Form[*networkingv1.DestinationRule], s *ir.Service, at string, subset *networkingv1.Subset, used map[string]bool) {
	known, routed, endpoints := false, false, 0
	for _, p := range s.Ports {
		name := ir.ClusterName(p.Number, subset.Name, s.Host)
		routed = routed || used[name]
		if i := slices.IndexFunc(l.r.Mesh.Clusters, func(c ir.Cluster) bool { return c.Name == name }); i >= 0 {
			known = true
			endpoints += len(l.r.Mesh.Clusters[i].Endpoints)
		}
	}
	if !known {
		return // the rule is not in force: compile says why
	}
	if endpoints == 0 {
		l.add(&f.Meta, finding{diag.Warning, at + ".labels", "SubsetWithoutEndpoints", "give endpoints of " + s.Host + " these labels, or remove the subset"},
			"no endpoint of %s has the labels of subset %q", s.Host, subset.Name)
	}
	if !routed {
		l.add(&f.Meta, finding{diag.Info, at, "UnusedSubset", "route to it, or remove it"},
			"no route or mirror leads to subset %q of %s", subset.Name, s.Host)
	}
}

// usedClusters are those that some route table names.
func usedClusters(m *ir.Mesh) map[string]bool {
	used := map[string]bool{}
	for i := range m.RouteTables {
		for j := range m.RouteTables[i].Routes {
			r := &m.RouteTables[i].Routes[j]
			for _, c := range r.Clusters {
				used[c.Name] = true
			}
			if r.Mirror != nil {
				used[r.Mirror.Cluster] = true
			}
		}
	}
	return used
}
