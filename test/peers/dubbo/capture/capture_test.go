package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const captures = "../../../../protocols/dubbo/testdata/captures"

func TestEveryLineOfACaptureIsOneMessage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captures, "*.frames"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if comment(string(text), "origin") == "" || comment(string(text), "about") == "" {
			t.Errorf("%s does not say where it comes from", f)
		}
		if len(text) > 300<<10 {
			t.Errorf("%s is too long: %d bytes", f, len(text))
		}
		if n := checkLines(t, f, string(text)); n == 0 {
			t.Errorf("%s has no message", f)
		}
	}
}

func checkLines(t *testing.T, file, text string) (messages int) {
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		side, digits, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(digits)
		if err != nil || side != "C" && side != "S" {
			t.Errorf("%s:%d: no message: %.40q", file, i+1, line)
			continue
		}
		r := bytes.NewReader(b)
		if _, err := readMessage(r); err != nil || r.Len() > 0 {
			t.Errorf("%s:%d: not one message: %v, %d bytes left", file, i+1, err, r.Len())
		}
		messages++
	}
	return messages
}

func TestTheReadmeListsEveryCapture(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(captures, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := index(captures)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), indexBegin+want+indexEnd) {
		t.Error("the list of files is not that of the folder; the capture program rewrites it")
	}
}
