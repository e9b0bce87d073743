package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// TestMain runs the smoke tests with -short, all tests without; -run says it
// better than either.
func TestMain(m *testing.M) {
	flag.Parse()
	if run := flag.Lookup("test.run"); testing.Short() && run.Value.String() == "" {
		if err := run.Value.Set("^TestSmoke"); err != nil {
			panic(err) // the flag is the testing package's own
		}
	}
	os.Exit(m.Run())
}

// programs builds what the tests run, each once per run of the tests. They are
// kept apart from the demo's, which may build its own at the same time.
type programs struct {
	mu    sync.Mutex
	built map[string]string // path by folder; guarded by mu
}

// The folders of the programs, and names of those that Go does not build.
const (
	controllerFolder = "cmd/aeraki"
	stockProxy       = "cmd/aeraki-proxy"
	thriftGo         = "test/peers/thrift"
	dubboGo          = "test/peers/dubbo"
	thriftPy         = "test/peers/thriftpy"
	java27           = "2.7.23"
	java32           = "3.2.19"
	java33           = "3.3.6"
)

var built = &programs{built: map[string]string{}}

// path returns the path of a program, built if this run has not built it yet.
func (p *programs) path(ctx context.Context, m *harness.Mesh, what string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if path := p.built[what]; path != "" {
		return path, nil
	}
	var path string
	var err error
	switch what {
	case thriftPy:
		path, err = buildPython(ctx, m)
	case java27, java32, java33:
		path, err = buildJava(ctx, m, what)
	default:
		path, err = m.Build(ctx, what)
	}
	if err == nil {
		p.built[what] = path
	}
	return path, err
}

// buildPython makes a command of the Python peer: its library goes into a
// virtual environment.
func buildPython(ctx context.Context, m *harness.Mesh) (string, error) {
	sources := filepath.Join(m.Root, thriftPy)
	env := filepath.Join(m.Root, ".cache", "thriftpy")
	python := filepath.Join(env, "bin", "python")
	if exec.CommandContext(ctx, python, "-c", "import thrift").Run() != nil {
		fmt.Fprintln(os.Stderr, "integration: installing apache/thrift for Python (PyPI) into .cache/thriftpy")
		if err := run(ctx, "python3", "-m", "venv", env); err != nil {
			return "", err
		}
		if err := run(ctx, python, "-m", "pip", "install", "-q", "-r", filepath.Join(sources, "requirements.txt")); err != nil {
			return "", err
		}
	}
	command := filepath.Join(m.Bin, "thriftpy")
	script := fmt.Sprintf("#!/bin/sh\nexec %q %q \"$@\"\n", python, filepath.Join(sources, "main.py"))
	return command, os.WriteFile(command, []byte(script), 0o755)
}

// buildJava returns the command of a version of the Java peer.
func buildJava(ctx context.Context, m *harness.Mesh, version string) (string, error) {
	out := filepath.Join(m.Root, ".cache", "dubbojava")
	if _, err := os.Stat(filepath.Join(out, version)); err != nil {
		fmt.Fprintf(os.Stderr, "integration: building the peer with Dubbo %s for Java (Maven Central) into .cache/dubbojava\n", version)
	}
	return filepath.Join(out, version, "peer"), run(ctx, filepath.Join(m.Root, "test/peers/dubbojava/build.sh"), out, version)
}

func run(ctx context.Context, name string, args ...string) error {
	if b, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, b)
	}
	return nil
}
