package xds

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

func sameBytes(a, b Resource) bool {
	return a.Type == b.Type && a.Name == b.Name && a.Version == b.Version && slices.Equal(a.Body, b.Body) && slices.Equal(a.Filters, b.Filters)
}

// A translator that has seen other meshes makes what a new one makes.
func TestAnOldTranslatorMakesTheSameBytes(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.in.yaml"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d inputs, %v", len(paths), err)
	}
	old := &Translator{}
	for round := range 3 {
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var i input
			if err := yaml.UnmarshalStrict(data, &i); err != nil {
				t.Fatal(err)
			}
			for _, edit := range changes {
				edit(i.Mesh)
				want, err := Shared(i.Mesh)
				if err != nil {
					t.Fatal(err)
				}
				// A translator is not given what will change.
				got, err := old.Shared(cloned(t, i.Mesh))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(want, got, sameBytes) {
					t.Fatalf("%s, round %d: other bytes", path, round)
				}
			}
		}
	}
}

// changes are made to a mesh one after the other, each a little one.
var changes = []func(*ir.Mesh){
	func(*ir.Mesh) {},
	func(m *ir.Mesh) {
		for i := range m.Clusters {
			m.Clusters[i].ConnectTimeout += time.Second
		}
	},
	func(m *ir.Mesh) {
		for i := range m.Clusters {
			for j := range m.Clusters[i].Endpoints {
				m.Clusters[i].Endpoints[j].Weight += 2
			}
		}
	},
	func(m *ir.Mesh) {
		for i := range m.RouteTables {
			for j := range m.RouteTables[i].Routes {
				m.RouteTables[i].Routes[j].Timeout += time.Second
				m.RouteTables[i].Routes[j].Mirror = nil
			}
		}
	},
	func(m *ir.Mesh) { m.Clusters, m.RouteTables = m.Clusters[len(m.Clusters)/2:], nil },
}

func cloned(t *testing.T, m *ir.Mesh) *ir.Mesh {
	t.Helper()
	data, err := yaml.Marshal(m)
	out := &ir.Mesh{}
	if err == nil {
		err = yaml.UnmarshalStrict(data, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A field that is added to clusters later is compared too.
func TestEveryFieldOfAClusterCounts(t *testing.T) {
	full := func() ir.Cluster { return ir.Cluster{Endpoints: []ir.Endpoint{{}}} }
	a := full()
	if b := full(); !sameCluster(&a, &b) {
		t.Fatal("equal clusters differ")
	}
	differs := func(what string, change func(v reflect.Value)) {
		b := full()
		change(reflect.ValueOf(&b).Elem())
		if sameCluster(&a, &b) {
			t.Errorf("%s is not compared", what)
		}
	}
	for i := range reflect.TypeFor[ir.Cluster]().NumField() {
		differs(reflect.TypeFor[ir.Cluster]().Field(i).Name, func(v reflect.Value) { other(v.Field(i)) })
	}
	for i := range reflect.TypeFor[ir.Endpoint]().NumField() {
		differs(fmt.Sprint("an endpoint's ", reflect.TypeFor[ir.Endpoint]().Field(i).Name),
			func(v reflect.Value) { other(v.FieldByName("Endpoints").Index(0).Field(i)) })
	}
}

// other gives the field another value than its zero.
func other(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString("other")
	case v.CanUint():
		v.SetUint(7)
	case v.CanInt():
		v.SetInt(7)
	default:
		v.SetZero()
	}
}
