// Package file reads resources from a folder of YAML files, watches it, and
// remembers the last good form of every object across restarts.
//
// What is in the folder is what is wanted, with three exceptions that keep a
// slip from becoming an outage: an object that is not valid stays as it was
// accepted last; so do all objects of a file that cannot be read or parsed; and
// a folder that is missing, unreadable or suddenly empty takes nothing away.
package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// Options say what is read. Only Dir is needed.
type Options struct {
	// Dir is the folder; *.yaml and *.yml in it and below it are read. What
	// begins with a dot is not.
	Dir string
	// State is the folder of last good forms; DefaultState(Dir) if empty.
	State string
	// Offline: the folder is only to be read once, and the state folder, which
	// may be that of a running controller, is neither locked nor written.
	Offline bool
	// Forget: no last good forms are read either.
	Forget bool
	// AllowEmpty lets a folder that has lost all of its objects take them all
	// away.
	AllowEmpty bool
	Log        *slog.Logger
	// Settle is how long the folder must be quiet before it is read, but no
	// longer than MaxSettle after the first event; 0: 50 and 250 ms.
	Settle, MaxSettle time.Duration
	// Relist is how often it is read in any case; 0: 5 s.
	Relist time.Duration
}

// DefaultState is .aeraki/<name of the folder> beside the folder.
func DefaultState(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Join(filepath.Dir(dir), ".aeraki", filepath.Base(dir))
}

// Update is one reading of the folder.
type Update struct {
	Snapshot    *resource.Snapshot
	Diagnostics []diag.Diagnostic
}

// Handler takes an update and returns the objects whose current form is in
// force now, with its hash. It is called from Run's goroutine.
type Handler func(Update) (accepted map[resource.Key]string)

// Source is a folder. It is used by one goroutine.
type Source struct {
	o     Options
	state *state
	cache map[string]parsed // by path
	// last is the content that was handled last.
	last     string
	lastRoot os.FileInfo
	// problem is what is wrong with the state folder, to be told with every
	// update; unsaved is why the last good forms could not be saved.
	problem []diag.Diagnostic
	unsaved []diag.Diagnostic
	unlock  func() error
}

// New opens the state folder, and takes it for itself until Close; the folder
// itself may appear later. It is an error if another process has the state
// folder, or if the last good forms are there but cannot be read: proxies keep
// what they have while there is no control plane, which is better than to be
// served without what only those forms know.
func New(o Options) (*Source, error) {
	if o.Dir == "" {
		return nil, errors.New("source/file: no folder is given")
	}
	o.State = cmp.Or(o.State, DefaultState(o.Dir))
	o.Settle = cmp.Or(o.Settle, 50*time.Millisecond)
	o.MaxSettle = cmp.Or(o.MaxSettle, 250*time.Millisecond)
	o.Relist = cmp.Or(o.Relist, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{o: o, state: newState(o.State), cache: map[string]parsed{}, unlock: func() error { return nil }}
	if o.Forget {
		return s, nil
	}
	var err error
	if !o.Offline {
		if s.unlock, err = lockState(o.State); err != nil {
			return nil, err
		}
		s.state.clean()
	}
	if s.state, s.problem, err = openState(o.State); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	return s, nil
}

// Close lets go of the state folder.
func (s *Source) Close() error { return s.unlock() }

// Run reads the folder, calls handle, and again whenever the folder's content
// has changed, until ctx ends.
func (s *Source) Run(ctx context.Context, handle Handler) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("source/file: %w", err)
	}
	defer w.Close()
	// Watches come before the reading: what changes in between is seen again.
	s.watch(w)
	s.step(true, handle)
	root := time.NewTicker(500 * time.Millisecond)
	defer root.Stop()
	relist := time.NewTicker(s.o.Relist)
	defer relist.Stop()
	settle := newSettler(s.o.Settle, s.o.MaxSettle)
	defer settle.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if ok && e.Op != fsnotify.Chmod {
				settle.event(time.Now())
			}
		case err := <-w.Errors:
			s.o.Log.Warn("watching the folder", "folder", s.o.Dir, "error", err)
			settle.event(time.Now())
		case <-root.C:
			// A folder that is replaced as a whole says nothing to its watch.
			if s.rootReplaced() {
				settle.event(time.Now())
			}
		case <-relist.C:
			s.watch(w)
			s.relist(handle)
		case <-settle.timer.C:
			settle.done()
			s.watch(w)
			s.step(false, handle)
		}
	}
}

// relist reads all that events may have missed, and saves what could not be
// saved before.
func (s *Source) relist(handle Handler) {
	s.tellUnsaved(s.state.flush())
	s.step(true, handle)
}

// step reads the folder, every file of it if all is set, and handles what it read if it is not what was handled last.
func (s *Source) step(all bool, handle Handler) {
	u, content := s.read(all)
	if content == s.last {
		return
	}
	s.last = content
	if diag.HasReason(u.Diagnostics, reasonFolder) && len(s.state.forms) == 0 {
		// Nothing was ever read: to hand out an empty snapshot would tell
		// proxies that all they have is gone.
		s.o.Log.Error("nothing is served until the folder can be read", "folder", s.o.Dir)
		return
	}
	accepted := handle(u)
	if s.tellUnsaved(s.state.accept(accepted)) {
		s.step(false, handle) // the diagnostic is part of what is read
	}
}

// tellUnsaved notes whether the last good forms could be saved, and reports
// whether there is something new to tell. What is served does not depend on it.
func (s *Source) tellUnsaved(err error) bool {
	before := len(s.unsaved) > 0
	switch {
	case err != nil && !before:
		s.o.Log.Error("last good forms would not survive a restart", "state", s.o.State, "error", err)
		s.unsaved = []diag.Diagnostic{{File: filepath.Join(s.o.State, stateFile), Severity: diag.Warning, Reason: "LastGoodUnsaved",
			Message: "the last good forms cannot be saved, and would not survive a restart: " + cause(err),
			Next:    "make the folder writable, or name another one with --state; it is tried again every few seconds"}}
	case err == nil && before:
		s.o.Log.Info("last good forms are saved again", "state", s.o.State)
		s.unsaved = nil
	}
	return err != nil != before
}

// cause is the error without the name of a temporary file, which is another
// one each time.
func cause(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}

// Read reads the folder once, without watching it, and remembers nothing.
func (s *Source) Read() Update {
	u, _ := s.read(true)
	return u
}

func (s *Source) rootReplaced() bool {
	info, err := os.Stat(s.o.Dir)
	if err != nil {
		return s.lastRoot != nil
	}
	return s.lastRoot == nil || !os.SameFile(info, s.lastRoot)
}

// watch adds every folder that is not watched yet; fsnotify drops those that
// are gone by itself.
func (s *Source) watch(w *fsnotify.Watcher) {
	s.lastRoot = nil
	if info, err := os.Stat(s.o.Dir); err == nil {
		s.lastRoot = info
	}
	folders, _, err := list(s.o.Dir)
	if err != nil {
		return // told by read
	}
	for _, f := range folders {
		if err := w.Add(f); err != nil {
			s.o.Log.Warn("a folder is not watched, only read from time to time", "folder", f, "error", err)
		}
	}
}

// settler waits until events have stopped, but not for ever.
type settler struct {
	quiet, most time.Duration
	timer       *time.Timer
	first       time.Time // zero: nothing happened
}

func newSettler(quiet, most time.Duration) *settler {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &settler{quiet: quiet, most: most, timer: t}
}

func (s *settler) event(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.timer.Reset(min(s.quiet, max(0, s.first.Add(s.most).Sub(now))))
}

func (s *settler) done() { s.first = time.Time{} }
