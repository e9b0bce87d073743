// Package steps reads a tutorial: a Markdown file whose fenced blocks are
// files, commands and their output, in the order in which a reader follows
// them. Command tutorial extracts them; test/tutorial executes them.
//
// The info string of a fence says what the block is:
//
//	```go file=codec.go          a whole file; a later block replaces it
//	```sh                        commands, each of which must succeed
//	```sh start=server ready="…" one command that goes on beside the rest; it is
//	                             ready when it has printed the text
//	```sh wait=server            commands, when what was started has ended
//	```text output               lines that the commands before it print, in
//	                             this order; … stands for any characters
//
// A block with an info string of one word other than sh is for reading only.
package steps

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Kind is what a step is.
type Kind uint8

// The kinds of steps.
const (
	File Kind = iota
	Run
	Start
	Output
)

// String returns the kind's name.
func (k Kind) String() string { return [...]string{"file", "run", "start", "output"}[k] }

// Step is one block.
type Step struct {
	Kind Kind
	// Line of the opening fence in the Markdown file, from 1.
	Line int
	// Path of a File, relative, within the tutorial's folder, with slashes.
	Path string
	// Name of what a Start starts, or of what must have ended before a Run;
	// Ready is the text that a Start prints when it is ready, without one it
	// need not be waited for.
	Name, Ready string
	// Text is the block's content; it ends with a newline unless it is empty.
	Text string
}

// Write writes a File below dir.
func (s *Step) Write(dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(s.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(s.Text), 0o644)
}

const fence = "```"

// Parse returns the steps of a Markdown text. Errors name the line.
func Parse(markdown string) ([]Step, error) {
	var out []Step
	open := 0 // line of the open fence
	keep := false
	var s Step
	var text strings.Builder
	for i, line := range strings.Split(markdown, "\n") {
		switch {
		case open == 0 && strings.HasPrefix(line, fence):
			var err error
			if s, keep, err = header(strings.TrimPrefix(line, fence)); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			open, s.Line = i+1, i+1
			text.Reset()
		case open > 0 && strings.TrimRight(line, " ") == fence:
			s.Text = text.String()
			if keep {
				out = append(out, s)
			}
			open = 0
		case open > 0:
			text.WriteString(line + "\n")
		}
	}
	if open > 0 {
		return nil, fmt.Errorf("line %d: the block is not closed", open)
	}
	return out, order(out)
}

// order checks that every output follows what prints it, and every wait what
// it is for.
func order(all []Step) error {
	started := map[string]bool{}
	for i, s := range all {
		switch {
		case s.Kind == Output && (i == 0 || all[i-1].Kind != Run):
			return fmt.Errorf("line %d: output must follow commands", s.Line)
		case s.Kind == Start:
			started[s.Name] = true
		case s.Kind == Run && s.Name != "" && !started[s.Name]:
			return fmt.Errorf("line %d: %s was not started", s.Line, s.Name)
		}
	}
	return nil
}

// word is a key with a value, quoted or not, or a bare word.
var word = regexp.MustCompile(`^\s*([a-z]+)(?:=(?:"([^"]*)"|(\S+)))?(?:\s+|$)`)

// header reads the info string; keep is false where the block is not a step.
func header(info string) (s Step, keep bool, err error) {
	language, rest, _ := strings.Cut(strings.TrimSpace(info), " ")
	if language == "sh" {
		s.Kind, keep = Run, true
	}
	for rest != "" {
		m := word.FindStringSubmatch(rest)
		if m == nil {
			return s, false, fmt.Errorf("what is %q", rest)
		}
		rest = rest[len(m[0]):]
		value := m[2] + m[3]
		switch key := m[1]; {
		case key == "file" && filepath.IsLocal(value):
			s.Kind, s.Path = File, value
		case key == "start" && language == "sh" && value != "":
			s.Kind, s.Name = Start, value
		case key == "wait" && language == "sh" && s.Kind == Run && value != "":
			s.Name = value
		case key == "ready" && s.Kind == Start:
			s.Ready = value
		case key == "output" && value == "":
			s.Kind = Output
		default:
			return s, false, fmt.Errorf("what is %q", strings.TrimSpace(m[0]))
		}
		keep = true
	}
	return s, keep, nil
}

// Matches reports whether the lines of want occur in got in this order, and
// else the first line that does not.
func Matches(want, got string) (missing string, ok bool) {
	lines := strings.Split(got, "\n")
	for w := range strings.Lines(want) {
		w = strings.TrimSpace(w)
		found := false
		for len(lines) > 0 && !found {
			found = matchesLine(w, strings.TrimSpace(lines[0]))
			lines = lines[1:]
		}
		if !found {
			return w, false
		}
	}
	return "", true
}

// matchesLine compares a line with one in which … stands for any characters.
func matchesLine(want, got string) bool {
	parts := strings.Split(want, "…")
	for i, p := range parts {
		switch {
		case i == 0:
			if !strings.HasPrefix(got, p) {
				return false
			}
			got = got[len(p):]
		case i == len(parts)-1:
			return strings.HasSuffix(got, p)
		default:
			at := strings.Index(got, p)
			if at < 0 {
				return false
			}
			got = got[at+len(p):]
		}
	}
	return got == ""
}
