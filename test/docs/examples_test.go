package docs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/explain"
	"github.com/aeraki-mesh/aeraki/internal/explain/explaintest"
	"github.com/aeraki-mesh/aeraki/protocols"
)

const examples = "../../docs/examples"

// TestExamplesAreFreeOfFindings: not even a hint, because readers copy them.
func TestExamplesAreFreeOfFindings(t *testing.T) {
	for _, folder := range exampleFolders(t) {
		out, code := aeraki(t, examples, "analyze", "-f", folder, "--fail-on", "warning")
		if want := "errors: 0, warnings: 0, hints: 0\n"; code != 0 || out != want {
			t.Errorf("%s: exit code %d\n%s", folder, code, out)
		}
	}
}

func TestExamplesRouteAsTheirTablesSay(t *testing.T) {
	explaintest.Run(t, examples, explain.Known{Schemas: explain.Schemas(protocols.Builtin()), Filters: filters.Builtin()})
}

// TestEveryExampleHasATable: hello is the README's, which shows what it does.
func TestEveryExampleHasATable(t *testing.T) {
	var tabled []string
	for _, path := range glob(t, filepath.Join(examples, "*.requests.yaml")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var table explaintest.Table
		if err := yaml.Unmarshal(data, &table); err != nil {
			t.Fatal(err)
		}
		tabled = append(tabled, filepath.Dir(table.Input))
	}
	for _, folder := range exampleFolders(t) {
		if folder != "hello" && !slices.Contains(tabled, folder) {
			t.Errorf("docs/examples/%s has no table of requests", folder)
		}
		if len(glob(t, filepath.Join(examples, folder, "*"))) != 1 && folder != "hello" {
			t.Errorf("docs/examples/%s: its table reads one file", folder)
		}
	}
}

func exampleFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no examples")
	}
	return out
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
