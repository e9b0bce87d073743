// Package golden compares what a pure stage makes with a file, and rewrites
// the file under -update; the difference is then read in review.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Inputs calls f in a subtest for each testdata/NAME.in.yaml, with its content.
func Inputs(t *testing.T, f func(t *testing.T, name string, in []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.in.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no inputs in testdata (%v)", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".in.yaml")
		t.Run(name, func(t *testing.T) {
			in, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f(t, name, in)
		})
	}
}

// Companion reads testdata/NAME.KIND.yaml strictly into out; without such a
// file out stays as it is.
func Companion(t *testing.T, name, kind string, out any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+"."+kind+".yaml"))
	if os.IsNotExist(err) {
		return
	}
	if err == nil {
		err = yaml.UnmarshalStrict(data, out)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Check compares got, as YAML, with testdata/NAME.out.yaml.
func Check(t *testing.T, name string, got any) {
	t.Helper()
	data, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".out.yaml")
	if *update {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), string(data)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
