package file

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unwritable puts a folder where the state's file should be renamed to: it is a
// permission that the superuser lacks too.
func unwritable(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, stateFile, "in the way"), 0o750); err != nil {
		t.Fatal(err)
	}
}

// The diagnostic comes at once and goes when the state can be saved again,
// without another edit; what is served is the same with and without it.
func TestAnUnwritableStateIsToldAndDoesNotStopTraffic(t *testing.T) {
	f := newFolder(t)
	unwritable(t, DefaultState(f.dir))
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	f.want("a=a.demo", "LastGoodUnsaved")
	f.step()
	put(t, f.dir, "a.yaml", router("a", "a2.demo"))
	f.step()
	f.want("a=a2.demo", "LastGoodUnsaved")
	put(t, f.dir, "a.yaml", "{")
	f.step()
	f.want("a~a2.demo", "LastGoodUnsaved", "BadYAML")
	if f.n != 4 {
		t.Errorf("handled %d times", f.n)
	}
}

func TestTheStateIsSavedWhenItCanBe(t *testing.T) {
	f := newFolder(t)
	state := DefaultState(f.dir)
	unwritable(t, state)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	f.s.relist(f.handle)
	f.want("a=a.demo", "LastGoodUnsaved")
	remove(t, state, stateFile)
	f.s.relist(f.handle)
	f.want("a=a.demo")
	if text, err := os.ReadFile(filepath.Join(state, stateFile)); err != nil || !bytes.Contains(text, []byte("a.demo")) {
		t.Errorf("saved %q, %v", text, err)
	}
}

func TestAStateWhereNoFolderCanBeIsTold(t *testing.T) {
	f := newFolder(t)
	f.close()
	remove(t, DefaultState(f.dir))
	remove(t, filepath.Dir(DefaultState(f.dir)))
	put(t, filepath.Dir(f.dir), ".aeraki", "a file where the folder should be")
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.restart(Options{})
	f.step()
	f.want("a=a.demo", "LastGoodUnsaved")
}

// What only the last good forms know must not be served without: an object that
// is not valid now would lose its form.
func TestAStateThatCannotBeReadIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	unwritable(t, DefaultState(dir))
	_, err := New(Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), stateFile) || !strings.Contains(err.Error(), "--state") {
		t.Errorf("the error is %v", err)
	}
	// The lock is not kept.
	remove(t, DefaultState(dir), stateFile)
	s, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTwoControllersDoNotShareAState(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	_, err := New(Options{Dir: f.dir})
	if err == nil || !strings.Contains(err.Error(), DefaultState(f.dir)) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("the error is %v", err)
	}
	// To read it offline, and to run beside with another state, is fine.
	put(t, f.dir, "a.yaml", "{")
	offline, err := New(Options{Dir: f.dir, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(offline.Read()); got != "a~a.demo" {
		t.Errorf("offline it is %s", got)
	}
	other, err := New(Options{Dir: f.dir, State: filepath.Join(t.TempDir(), "other")})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	f.restart(Options{})
	f.step()
	f.want("a~a.demo", "BadYAML")
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	f := newFolder(t)
	left := filepath.Join(DefaultState(f.dir), "writing-123")
	put(t, DefaultState(f.dir), "writing-123", "half of it")
	f.restart(Options{})
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is there: %v", err)
	}
}

// A folder below that cannot be listed stands among the files, and may hold
// whatever it held.
func TestAFolderBelowThatCannotBeReadKeepsItsObjects(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	put(t, f.dir, "x/y/b.yaml", router("b", "b.demo"))
	put(t, f.dir, "x.yaml", router("c", "c.demo"))
	f.step()
	r := reading{files: map[string]parsed{"x": {broken: true}, "a.yaml": {}, "x.yaml": {}}}
	for file, want := range map[string]bool{"x/y/b.yaml": true, "x": true, "x.yaml": false, "a.yaml": false, "/elsewhere": false} {
		if got := r.unreadable(file); got != want {
			t.Errorf("%s: %v", file, got)
		}
	}
}
