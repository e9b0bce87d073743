package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/resource/decode"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// stateFile holds all last good forms: documents as the user wrote them, each
// below a line that says where it came from. One file, because a change of
// thousands of objects would otherwise be thousands of files; people may read
// it, nobody needs to.
const stateFile = "last-good.yaml"

// state is the last good forms and the folder that keeps them.
type state struct {
	dir   string
	forms map[resource.Key]form
	// texts are the forms that were read last, which may be accepted.
	texts map[resource.Key]form
	// unread are documents that this version does not understand; they are
	// kept for the one that wrote them.
	unread []string
	// stale: the file is behind forms.
	stale bool
}

// form is an object's text and its origin: a path within the folder, a line.
type form struct {
	file string
	line int
	text string
	item *resource.Item
}

// origin is what follows originPrefix in the line above each document.
type origin struct {
	File string `json:"file"`
	Path string `json:"path"` // as diagnostics show it
	Line int    `json:"line"`
}

const (
	originPrefix = "# aeraki last good: "
	separator    = "---\n" + originPrefix
)

func newState(dir string) *state {
	return &state{dir: dir, forms: map[resource.Key]form{}}
}

// openState reads what is there. A form that this version cannot read is told
// of and kept. The error is for a file that is there and cannot be read: to go
// on without it would take away what only it still has.
func openState(dir string) (*state, []diag.Diagnostic, error) {
	s := newState(dir)
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return s, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("source/file: the last good forms cannot be read: %w: make the file readable, or name another folder with --state", err)
	}
	var problems []diag.Diagnostic
	for i, doc := range strings.Split(string(data), separator) {
		if i == 0 && strings.TrimSpace(doc) == "" {
			continue // before the first
		}
		if err := s.load(doc); err != nil {
			problems = append(problems, stateProblem(path, fmt.Errorf("document %d: %w", i, err)))
			s.unread = append(s.unread, doc)
		}
	}
	return s, problems, nil
}

func stateProblem(path string, err error) diag.Diagnostic {
	return diag.Diagnostic{File: path, Severity: diag.Warning, Reason: "LastGoodUnreadable", Message: err.Error(),
		Next: "it counts only while the object in the folder is not valid; remove it when that is mended"}
}

func (s *state) load(doc string) error {
	header, text, _ := strings.Cut(doc, "\n")
	var from origin
	if err := json.Unmarshal([]byte(header), &from); err != nil {
		return fmt.Errorf("its origin: %w", err)
	}
	docs := decode.File(from.Path, []byte(text), from.Line)
	if len(docs) != 1 || docs[0].Item == nil {
		return errors.New("it is not one valid object")
	}
	s.forms[docs[0].Key] = form{file: from.File, line: from.Line, text: text, item: docs[0].Item}
	return nil
}

func (s *state) items() map[resource.Key]*resource.Item {
	out := make(map[resource.Key]*resource.Item, len(s.forms))
	for k, f := range s.forms {
		out[k] = f.item
	}
	return out
}

func (s *state) retired(k resource.Key) {
	delete(s.forms, k)
	s.stale = true
}

// accept keeps the forms that are in force as last good ones. An error is that
// of saving them: they are kept all the same, and flush tries again.
func (s *state) accept(accepted map[resource.Key]string) error {
	for key, hash := range accepted {
		f, read := s.texts[key]
		if !read || f.item.Hash != hash {
			continue
		}
		have, kept := s.forms[key]
		s.stale = s.stale || !kept || have.item.Hash != hash || have.file != f.file
		s.forms[key] = f
	}
	return s.flush()
}

// flush saves what was not saved yet.
func (s *state) flush() error {
	if !s.stale {
		return nil
	}
	if err := s.save(); err != nil {
		return err
	}
	s.stale = false
	return nil
}

// temporary is what a file is called while it is written.
const temporary = "writing-*"

// clean removes what a process that was killed has left.
func (s *state) clean() {
	left, _ := filepath.Glob(filepath.Join(s.dir, temporary)) // the pattern is good
	for _, path := range left {
		_ = os.Remove(path) // it is in nobody's way
	}
}

// save writes beside and renames, so that a reader sees the old forms or the
// new ones, also after a power failure: file and folder are on the disk when it
// returns.
func (s *state) save() error {
	text, err := s.text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	t, err := os.CreateTemp(s.dir, temporary)
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	if err == nil {
		err = t.Sync()
	}
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), filepath.Join(s.dir, stateFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return syncFolder(s.dir)
}

// syncFolder makes a rename last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *state) text() ([]byte, error) {
	var b bytes.Buffer
	for _, k := range slices.SortedFunc(maps.Keys(s.forms), resource.Key.Compare) {
		f := s.forms[k]
		header, err := json.Marshal(origin{File: f.file, Path: f.item.File, Line: f.line})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s%s\n%s", separator, header, f.text)
		if !strings.HasSuffix(f.text, "\n") {
			b.WriteByte('\n')
		}
	}
	for _, doc := range s.unread {
		b.WriteString(separator + doc)
	}
	return b.Bytes(), nil
}
