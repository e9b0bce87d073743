package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	doc := filepath.Join(dir, "doc.md")
	text := "```go file=a/b.go\npackage b\n```\n```sh\nls a\n```\n```sh start=x ready=y\nx y\n```\n"
	if err := os.WriteFile(doc, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"commands", doc}, &out); err != nil || out.String() != "ls a\nx y & # x\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := run([]string{"extract", doc, dir}, &out); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a", "b.go")); err != nil || string(got) != "package b\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, args := range [][]string{nil, {"extract", doc}, {"commands", doc, dir}, {"what", doc}} {
		if err := run(args, &out); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
