package simtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// applyPatch applies a unified diff of files under root and returns the new
// text of each, by path. Lines before the first "---" are comment. The patch
// must fit exactly, wherever in the file its lines are now.
func applyPatch(root, patch string) (map[string]string, error) {
	texts := map[string]string{}
	var name string
	var old, replacement strings.Builder
	flush := func() error {
		if old.Len() == 0 {
			return nil
		}
		if n := strings.Count(texts[name], old.String()); n != 1 {
			return fmt.Errorf("stale patch: its lines stand %d times in %s; make it anew:\n%s", n, name, old.String())
		}
		texts[name] = strings.Replace(texts[name], old.String(), replacement.String(), 1)
		old.Reset()
		replacement.Reset()
		return nil
	}
	for line := range strings.Lines(patch) {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "@@"):
			if err := flush(); err != nil {
				return nil, err
			}
		case strings.HasPrefix(line, "+++ b/"):
			name = strings.TrimSpace(strings.TrimPrefix(line, "+++ b/"))
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return nil, err
			}
			texts[name] = string(text)
		case name == "": // comment
		case line[0] == '-':
			old.WriteString(line[1:])
		case line[0] == '+':
			replacement.WriteString(line[1:])
		default:
			old.WriteString(line[1:])
			replacement.WriteString(line[1:])
		}
	}
	return texts, flush()
}

func TestApplyPatch(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "f"), []byte("a\nb\nc\nd\ne\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := applyPatch(root, "# why\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n@@ -4,2 +4,3 @@\n d\n+D\n e\n")
	if err != nil || got["f"] != "a\nB\nc\nd\nD\ne\n" {
		t.Errorf("%q, %v", got["f"], err)
	}
	if _, err := applyPatch(root, "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-x\n+B\n"); err == nil || !strings.Contains(err.Error(), "stale") {
		t.Errorf("a patch that does not fit: %v", err)
	}
}
