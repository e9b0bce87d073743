package explain_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aeraki-mesh/aeraki/internal/bootstrap"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// compileFile compiles a folder that holds this file alone.
func compileFile(t *testing.T, path string) *controller.Result {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _, err := controller.CompileDir(dir, controller.CompileOptions{Options: compile.Options{Schemas: known().Schemas}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// served returns what the proxy with these listeners gets, as "Type name".
func served(t *testing.T, r *controller.Result, listeners string, protocols, filters []string) (resources, problems []string) {
	t.Helper()
	c, err := bootstrap.Parse([]byte("node: {id: a, namespace: demo}\ncontrolPlane: {address: \"127.0.0.1:1\"}\nlisteners:\n" + listeners))
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.XDSNode(protocols, filters)
	if err != nil {
		t.Fatal(err)
	}
	s, err := explain.ForProxy(r, n)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Resources {
		resources = append(resources, s.Resources[i].Type[strings.LastIndex(s.Resources[i].Type, ".")+1:]+" "+s.Resources[i].Name)
	}
	for _, p := range s.Problems {
		problems = append(problems, p.Name+": "+p.Message)
	}
	return resources, problems
}

const outbound = "- {name: out, bind: \"127.0.0.1:1\", outbound: {host: s.demo, port: 20880}}\n"

func TestAProxyIsServedWhatItsListenersLeadTo(t *testing.T) {
	r := compileFile(t, "testdata/split.in.yaml")
	got, problems := served(t, r, outbound+
		"- {name: in, bind: \"127.0.0.1:2\", inbound: {host: s.demo, port: 20880, endpoint: \"127.0.0.1:7001\"}}\n"+
		"- {name: gone, bind: \"127.0.0.1:3\", outbound: {host: gone.demo, port: 1}}\n", []string{"dubbo"}, []string{"mirror", "mutation"})
	want := []string{
		"Listener in", "Listener out",
		"RouteConfiguration inbound|20880|127.0.0.1:7001|s.demo", "RouteConfiguration s.demo_20880",
		"Cluster inbound|20880|127.0.0.1:7001|s.demo", "Cluster outbound|20880|v1|s.demo", "Cluster outbound|20880|v2|s.demo", "Cluster outbound|20880||s.demo",
		"ClusterLoadAssignment outbound|20880|v1|s.demo", "ClusterLoadAssignment outbound|20880|v2|s.demo", "ClusterLoadAssignment outbound|20880||s.demo",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(problems, []string{`gone: there is no managed service "gone.demo"`}) {
		t.Errorf("problems are %q", problems)
	}
}

func TestAMirrorsClusterIsServed(t *testing.T) {
	r := compileFile(t, "testdata/mirror.in.yaml")
	got, _ := served(t, r, "- {name: out, bind: \"127.0.0.1:1\", outbound: {host: a.demo, port: 1}}\n", []string{"thrift"}, []string{"mirror"})
	want := []string{"Listener out", "RouteConfiguration a.demo_1", "Cluster outbound|1||a.demo", "Cluster outbound|2||b.demo"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAProxyWithoutAFilterIsNotServedItsRoutes(t *testing.T) {
	r := compileFile(t, "testdata/split.in.yaml")
	got, problems := served(t, r, outbound, []string{"dubbo"}, []string{"mirror"})
	if !slices.Equal(got, []string{"Listener out"}) || len(problems) != 1 || !strings.Contains(problems[0], `no filter "mutation"`) {
		t.Errorf("served %q, problems %q", got, problems)
	}
}
