package docs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the outputs in docs/rules.md and docs/proxy.md")

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// bin is where TestMain builds the programs that the documents run.
var bin string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if err := lookAtSources(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "aeraki-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin+"/", "./cmd/aeraki", "./cmd/aeraki-proxy")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// lookAtSources makes the result of these tests depend on all sources of the
// programs: Go would keep it when a file changes that only the build reads.
func lookAtSources() error {
	for _, folder := range []string{"api", "cmd", "codec", "filter", "filters", "internal", "protocols", "proxy", "wire"} {
		err := filepath.WalkDir("../../"+folder, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// aeraki runs the command line in a folder and returns what it printed.
func aeraki(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	return run(t, dir, "aeraki", args...)
}

func run(t *testing.T, dir, program string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", program, strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// block is a fenced block of a document: its language and its content.
var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// section returns the text from a heading to the next of the same or a higher
// level, without fenced blocks.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, found := strings.Cut("\n"+fence.ReplaceAllString(text, ""), "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	level := strings.IndexByte(heading, ' ')
	end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(after)
	if end != nil {
		after = after[:end[0]]
	}
	return after
}

var (
	row    = regexp.MustCompile(`(?m)^\| (.*?) \|`)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// firstColumn returns what is in backquotes in the first column of a text's
// tables.
func firstColumn(text string) []string {
	var out []string
	for _, r := range row.FindAllStringSubmatch(text, -1) {
		for _, q := range quoted.FindAllStringSubmatch(r[1], -1) {
			out = append(out, q[1])
		}
	}
	return out
}
