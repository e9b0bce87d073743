package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	indexBegin = "<!-- files: written by test/peers/dubbo/capture -->\n"
	indexEnd   = "<!-- end of files -->\n"
)

// writeIndex rewrites the list of files in the captures' README.md.
func writeIndex(out string) error {
	path := filepath.Join(out, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), indexBegin)
	_, after, ok2 := strings.Cut(rest, indexEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the list of files", path)
	}
	list, err := index(out)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+indexBegin+list+indexEnd+after), 0o644)
}

// index returns one line per capture.
func index(out string) (string, error) {
	files, err := filepath.Glob(filepath.Join(out, "*.frames"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| file | origin | about |\n|---|---|---|\n")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", filepath.Base(f), comment(string(text), "origin"), comment(string(text), "about"))
	}
	return b.String(), nil
}

// comment returns what the file's comment of this name says.
func comment(text, name string) string {
	_, rest, _ := strings.Cut(text, "# "+name+": ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
