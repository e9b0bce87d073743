package xds

import (
	"reflect"
	"slices"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/plan"
)

// Translator translates meshes that follow one another. What is as it was in
// the mesh before is not made again: comparing costs a tenth of it. The result
// is that of a new Translator, byte for byte. The zero value is ready; it is
// for one goroutine.
type Translator struct {
	tables   map[string]madeTable
	clusters map[string]madeCluster
}

type madeTable struct {
	from *ir.RouteTable
	made Resource
}

type madeCluster struct {
	from    *ir.Cluster
	cluster Resource
	// endpoints of a static cluster, which come over EDS.
	endpoints Resource
}

// Shared translates what all proxies may subscribe to: route tables, clusters
// and endpoints, in this order and by name within. The mesh must not change
// any more.
func (t *Translator) Shared(m *ir.Mesh) ([]Resource, error) {
	next := Translator{make(map[string]madeTable, len(m.RouteTables)), make(map[string]madeCluster, len(m.Clusters))}
	out := make([]Resource, 0, len(m.RouteTables)+2*len(m.Clusters))
	for i := range m.RouteTables {
		made, err := t.table(&m.RouteTables[i])
		if err != nil {
			return nil, err
		}
		next.tables[made.from.Name] = made
		out = append(out, made.made)
	}
	for i := range m.Clusters {
		made, err := t.cluster(&m.Clusters[i])
		if err != nil {
			return nil, err
		}
		next.clusters[made.from.Name] = made
		out = append(out, made.cluster)
	}
	for i := range m.Clusters {
		if m.Clusters[i].Discovery == ir.Static {
			out = append(out, next.clusters[m.Clusters[i].Name].endpoints)
		}
	}
	*t = next
	return out, nil
}

func (t *Translator) table(in *ir.RouteTable) (madeTable, error) {
	if have, ok := t.tables[in.Name]; ok && reflect.DeepEqual(have.from, in) {
		return have, nil
	}
	message, err := routeConfiguration(in)
	if err != nil {
		return madeTable{}, err
	}
	r, err := newResource(RouteType, in.Name, message)
	r.Filters = plan.Filters(in)
	return madeTable{in, r}, err
}

func (t *Translator) cluster(in *ir.Cluster) (madeCluster, error) {
	if have, ok := t.clusters[in.Name]; ok && sameCluster(have.from, in) {
		return have, nil
	}
	out := madeCluster{from: in}
	var err error
	if out.cluster, err = newResource(ClusterType, in.Name, cluster(in)); err != nil || in.Discovery != ir.Static {
		return out, err
	}
	out.endpoints, err = newResource(EndpointType, in.Name, loadAssignment(in))
	return out, err
}

// sameCluster is reflect.DeepEqual without its cost, which thousands of
// endpoints feel.
func sameCluster(a, b *ir.Cluster) bool {
	x, y := *a, *b
	x.Endpoints, y.Endpoints = nil, nil
	return reflect.DeepEqual(x, y) && slices.Equal(a.Endpoints, b.Endpoints)
}

// Shared translates one mesh.
func Shared(m *ir.Mesh) ([]Resource, error) { return new(Translator).Shared(m) }
