package simtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlantedBugsAreFound tests the tests: each patch in bugs/ plants a bug in
// the engine, which TestSimulation must notice as a broken promise. The work
// tree stays as it is: the compiler is shown the patched files in place of the
// real ones.
func TestPlantedBugsAreFound(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	patches, err := filepath.Glob("bugs/*.patch")
	if err != nil || len(patches) < 10 {
		t.Fatalf("%d planted bugs, %v", len(patches), err)
	}
	if testing.Short() {
		patches = patches[:2]
	}
	for _, path := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".patch"), func(t *testing.T) {
			patch, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts, err := applyPatch(root, string(patch))
			if err != nil {
				t.Fatal(err)
			}
			out, err := simulateWith(t, root, texts)
			_, promise, broken := strings.Cut(out, "promise broken ")
			switch {
			case err == nil:
				t.Error("the simulation did not find it")
			case !broken:
				t.Errorf("it does not run: %v\n%s", err, out)
			default:
				first, _, _ := strings.Cut(promise, "\n")
				t.Log(first)
			}
		})
	}
}

// simulateWith runs the simulation with these texts in place of the files of
// these names.
func simulateWith(t *testing.T, root string, texts map[string]string) (output string, err error) {
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range texts {
		planted := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(planted, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, name)] = planted
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	listed := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(listed, list, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-overlay", listed,
		"-run", "^TestSimulation$", "./internal/engine/simtest", "-sim.seeds", "60")
	run.Dir = root
	out, err := run.CombinedOutput()
	return string(out), err
}
