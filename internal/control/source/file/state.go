package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/resource/decode"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// state is the folder of last good forms: one file for each object, its text
// as the user wrote it below a line that says where it came from. People may
// read it; nobody needs to.
type state struct {
	dir   string
	forms map[resource.Key]form
	// texts are the forms that were read last, which may be accepted.
	texts map[resource.Key]form
	// gone are objects whose files are to be removed.
	gone map[resource.Key]bool
}

// form is an object's text and its origin: a path within the folder, a line.
type form struct {
	file string
	line int
	text string
	item *resource.Item
}

// origin is the first line of a state file, after "# aeraki last good: ".
type origin struct {
	File string `json:"file"`
	Path string `json:"path"` // as diagnostics show it
	Line int    `json:"line"`
}

const originPrefix = "# aeraki last good: "

func newState(dir string) *state {
	return &state{dir: dir, forms: map[resource.Key]form{}, gone: map[resource.Key]bool{}}
}

// openState reads what is there. A form that this version cannot read any more
// is told of and left alone.
func openState(dir string) (*state, []diag.Diagnostic) {
	s := newState(dir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, []diag.Diagnostic{stateProblem(dir, err)}
	}
	var problems []diag.Diagnostic
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := s.load(path); err != nil {
			problems = append(problems, stateProblem(path, err))
		}
	}
	return s, problems
}

func stateProblem(path string, err error) diag.Diagnostic {
	return diag.Diagnostic{File: path, Severity: diag.Warning, Reason: "LastGoodUnreadable", Message: err.Error(),
		Next: "it counts only while the object in the folder is not valid; remove it when that is mended"}
}

func (s *state) load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	first, text, _ := bytes.Cut(data, []byte("\n"))
	var from origin
	if header, ok := bytes.CutPrefix(first, []byte(originPrefix)); !ok {
		return fmt.Errorf("the first line does not begin with %q", originPrefix)
	} else if err := json.Unmarshal(header, &from); err != nil {
		return fmt.Errorf("the first line: %w", err)
	}
	docs := decode.File(from.Path, text, from.Line)
	if len(docs) != 1 || docs[0].Item == nil {
		return errors.New("it does not hold one valid object")
	}
	s.forms[docs[0].Key] = form{file: from.File, line: from.Line, text: string(text), item: docs[0].Item}
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
	s.gone[k] = true
}

func (s *state) path(k resource.Key) string {
	return filepath.Join(s.dir, strings.ToLower(string(k.Kind))+"_"+k.Namespace+"_"+k.Name+".yaml")
}

// accept keeps the forms that are in force as last good ones.
func (s *Source) accept(accepted map[resource.Key]string) error {
	var problems []error
	for key := range s.state.gone {
		if err := os.Remove(s.state.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
		delete(s.state.gone, key)
	}
	for key, hash := range accepted {
		f, read := s.state.texts[key]
		if !read || f.item.Hash != hash {
			continue
		}
		have, kept := s.state.forms[key]
		s.state.forms[key] = f
		if kept && have.item.Hash == hash && have.file == f.file {
			continue
		}
		if err := s.save(key, f); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// save writes beside and renames, so that a reader sees the old form or the
// new one. It does not wait for the disk: an object whose form is lost in a
// power failure is read from its folder again.
func (s *Source) save(k resource.Key, f form) error {
	header, err := json.Marshal(origin{File: f.file, Path: f.item.File, Line: f.line})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.o.State, 0o750); err != nil {
		return err
	}
	t, err := os.CreateTemp(s.o.State, "writing-*")
	if err != nil {
		return err
	}
	_, err = t.WriteString(originPrefix + string(header) + "\n" + f.text)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), s.state.path(k))
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}
