package file

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/resource/decode"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// reasonFolder: the folder as a whole could not be read.
const reasonFolder = "FolderUnreadable"

// maxFile bounds what one file may hold: 8 MiB.
const maxFile = 8 << 20

// parsed is a file as it was read.
type parsed struct {
	hash string
	// info is what the file was then, settled whether a later change would
	// show in it: time stamps are coarse.
	info    fs.FileInfo
	settled bool
	docs    []decode.Document
	// broken: an object that is not in docs may still be in the file.
	broken bool
	// problem is why it could not be read.
	problem *diag.Diagnostic
}

// list returns the folder and those below it, and the YAML files in them, each
// sorted. Symbolic links to files are followed, to folders they are not.
func list(dir string) (folders, files []string, err error) {
	// The root may be a link itself.
	root := dir + string(filepath.Separator)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		path = filepath.Clean(path)
		switch {
		case err != nil && path == filepath.Clean(dir):
			return err
		case err != nil:
			files = append(files, path) // told when it is read
			return nil
		case path != filepath.Clean(dir) && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			folders = append(folders, path)
		case filepath.Ext(path) == ".yaml" || filepath.Ext(path) == ".yml":
			files = append(files, path)
		}
		return nil
	})
	slices.Sort(files)
	return folders, files, err
}

// reading is one pass over the folder.
type reading struct {
	current map[resource.Key]*resource.Item
	// named are the objects that some document says it is, valid or not.
	named map[resource.Key]bool
	// files are those that are there.
	files       map[string]parsed
	texts       map[resource.Key]form
	diagnostics []diag.Diagnostic
}

// read returns the folder's content and a hash of it. Files that look as they
// did are not read again, unless all is asked for.
func (s *Source) read(all bool) (Update, string) {
	r := reading{current: map[resource.Key]*resource.Item{}, named: map[resource.Key]bool{}, files: map[string]parsed{}, texts: map[resource.Key]form{}}
	r.diagnostics = append(append(r.diagnostics, s.problem...), s.unsaved...)
	_, files, err := list(s.o.Dir)
	if err != nil {
		r.add(diag.Diagnostic{File: s.o.Dir, Severity: diag.Error, Reason: reasonFolder, Message: err.Error(),
			Next: "bring the folder back; what was accepted before stays in force"})
	}
	sum := sha256.New()
	for _, path := range files {
		p := s.parse(path, all)
		fmt.Fprintf(sum, "%s\x00%s\x00", path, p.hash)
		r.file(s.relative(path), p)
	}
	s.forgetFiles(files)
	if err == nil {
		s.retire(&r)
	}
	s.tellLastGood(&r)
	s.state.texts = r.texts
	u := Update{Snapshot: resource.NewSnapshot(r.current, s.state.items()), Diagnostics: diag.Sort(r.diagnostics)}
	return u, hex.EncodeToString(sum.Sum(nil)) + fmt.Sprint(err, s.unsaved)
}

func (s *Source) relative(path string) string {
	rel, err := filepath.Rel(s.o.Dir, path)
	if err != nil {
		return path
	}
	return rel
}

// coarse is longer than any file system's time stamps are.
const coarse = 2 * time.Second

// parse reads a file; what has not changed is not decoded again.
func (s *Source) parse(path string, all bool) parsed {
	have, cached := s.cache[path]
	info, err := os.Stat(path)
	if !all && err == nil && cached && have.settled && os.SameFile(info, have.info) && info.Size() == have.info.Size() && info.ModTime().Equal(have.info.ModTime()) {
		return have
	}
	var data []byte
	if err == nil {
		data, err = readFile(path, info)
	}
	if err != nil {
		return parsed{hash: "!" + err.Error(), broken: true, problem: &diag.Diagnostic{File: path, Severity: diag.Error, Reason: "FileUnreadable",
			Message: err.Error(), Next: "make it readable; what it held before stays in force"}}
	}
	sum := sha256.Sum256(data)
	h := hex.EncodeToString(sum[:])
	p := have
	if !cached || have.hash != h {
		p = decoded(path, h, data)
	}
	p.info, p.settled = info, time.Since(info.ModTime()) > coarse
	s.cache[path] = p
	return p
}

func decoded(path, hash string, data []byte) parsed {
	p := parsed{hash: hash, docs: decode.File(path, data, 1)}
	if len(strings.TrimSpace(string(data))) == 0 {
		// Editors that write in place truncate first.
		p.broken = true
		p.problem = &diag.Diagnostic{File: path, Severity: diag.Warning, Reason: "EmptyFile", Message: "the file is empty",
			Next: "remove the file to take its objects away; they stay in force"}
	}
	for _, d := range p.docs {
		p.broken = p.broken || d.Key.Name == "" && !d.Foreign
	}
	return p
}

func readFile(path string, info fs.FileInfo) ([]byte, error) {
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

func (s *Source) forgetFiles(there []string) {
	for path := range s.cache {
		if _, ok := slices.BinarySearch(there, path); !ok {
			delete(s.cache, path)
		}
	}
}

func (r *reading) add(d diag.Diagnostic) { r.diagnostics = append(r.diagnostics, d) }

// file takes what the file holds. Of two documents that say they are the same
// object the first counts, by path and line.
func (r *reading) file(rel string, p parsed) {
	r.files[rel] = p
	if p.problem != nil {
		r.add(*p.problem)
	}
	for _, d := range p.docs {
		r.diagnostics = append(r.diagnostics, d.Diagnostics...)
		if d.Foreign || d.Key.Name == "" {
			continue
		}
		if r.named[d.Key] {
			r.add(diag.Diagnostic{Object: d.Key.Diag(), File: itemFile(d), Line: d.Line, Field: "metadata.name", Severity: diag.Error,
				Reason: "Duplicate", Message: "another document is this object already", Next: "remove one of them; the first by file and line counts"})
			continue
		}
		r.named[d.Key] = true
		if d.Item != nil {
			r.current[d.Key] = d.Item
			r.texts[d.Key] = form{file: rel, line: d.Line, text: d.Text, item: d.Item}
		}
	}
}

func itemFile(d decode.Document) string {
	if d.Item != nil {
		return d.Item.File
	}
	return ""
}

// retire drops the last good forms of objects that were taken away.
func (s *Source) retire(r *reading) {
	if len(r.named) == 0 && len(s.state.forms) > 1 && !r.broken() && !s.o.AllowEmpty {
		r.add(diag.Diagnostic{File: s.o.Dir, Severity: diag.Error, Reason: "FolderEmptied",
			Message: fmt.Sprintf("the folder has no object any more, where %d were accepted", len(s.state.forms)),
			Next:    "they stay in force; if they are to go, start once with --allow-empty"})
		return
	}
	for key, f := range s.state.forms {
		if r.named[key] {
			continue
		}
		if r.unreadable(f.file) {
			continue
		}
		s.state.retired(key)
	}
}

// unreadable reports whether the file, or a folder that it is in, may hold
// objects that were not read.
func (r *reading) unreadable(file string) bool {
	for path, above := "", file; path != above; path, above = above, filepath.Dir(above) {
		if r.files[above].broken {
			return true
		}
	}
	return false
}

// broken reports whether any file may hold objects that were not read.
func (r *reading) broken() bool {
	for _, p := range r.files {
		if p.broken {
			return true
		}
	}
	return false
}

// tellLastGood adds to errors what stays in force.
func (s *Source) tellLastGood(r *reading) {
	for i, d := range r.diagnostics {
		key := resource.Key{Kind: resource.Kind(d.Object.Kind), Namespace: d.Object.Namespace, Name: d.Object.Name}
		if _, has := s.state.forms[key]; has && d.Severity == diag.Error && r.current[key] == nil {
			r.diagnostics[i].Message += "; the form accepted before stays in force"
		}
	}
}
