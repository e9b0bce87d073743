package report

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// The marks between which a document holds the generated part.
const (
	begin = "<!-- bench: generated from here -->"
	end   = "<!-- bench: to here -->"
)

// Write puts the text between the marks of a file and leaves the rest of it;
// a file without them, or none, becomes the text between marks.
func Write(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		head, tail = "", "\n"
	}
	return os.WriteFile(file, []byte(head+begin+"\n\n"+strings.TrimSpace(text)+"\n\n"+end+tail), 0o644)
}
