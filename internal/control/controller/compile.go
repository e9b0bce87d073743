package controller

import (
	"fmt"
	"slices"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/source/file"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// Result is a folder, compiled and translated.
type Result struct {
	Snapshot *resource.Snapshot
	*compile.Result
	// Resources are what any proxy may subscribe to: routes, clusters and
	// endpoints, each by name. Listeners are made for a proxy: xds.ForProxy.
	Resources []xds.Resource
}

// CompileOptions say how a folder is compiled offline.
type CompileOptions struct {
	compile.Options
	// State is a folder of last good forms to take in; empty: none, so that
	// the result shows the folder alone.
	State string
}

// CompileDir compiles what is in the folder now, as a controller would serve
// it, and writes nothing. The diagnostics are those of reading and compiling.
// The error is for what is no user's mistake.
func CompileDir(dir string, o CompileOptions) (*Result, []diag.Diagnostic, error) {
	s, err := file.New(file.Options{Dir: dir, State: o.State, Offline: true, Forget: o.State == ""})
	if err != nil {
		return nil, nil, err
	}
	u := s.Read()
	r, err := build(u, o.Options, &xds.Translator{})
	if err != nil {
		return nil, u.Diagnostics, err
	}
	return r, r.Diagnostics, nil
}

// build compiles and translates one update; it adds the source's diagnostics
// to those of compile.
func build(u file.Update, o compile.Options, t *xds.Translator) (*Result, error) {
	r := compile.Compile(u.Snapshot, o)
	r.Diagnostics = diag.Sort(slices.Concat(u.Diagnostics, r.Diagnostics))
	r.Objects = withUnread(r.Objects, u.Diagnostics)
	resources, err := t.Shared(r.Mesh)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	return &Result{Snapshot: u.Snapshot, Result: r, Resources: resources}, nil
}

// withUnread completes the statuses with what only the source knows: why the
// current form of an object is not valid within itself, also of objects that
// have no other form.
func withUnread(objects []compile.ObjectStatus, found []diag.Diagnostic) []compile.ObjectStatus {
	for _, d := range found {
		if d.Severity != diag.Error || d.Object.Name == "" {
			continue
		}
		i, known := slices.BinarySearchFunc(objects, d.Object, func(s compile.ObjectStatus, o diag.Object) int { return s.Object.Compare(o) })
		if !known {
			objects = slices.Insert(objects, i, compile.ObjectStatus{Object: d.Object, InForce: compile.None})
		}
		if s := &objects[i]; !s.Accepted && (s.Reason == "" || s.Reason == compile.ReasonUnread) {
			s.File, s.Reason, s.Message = d.File, d.Reason, d.Message
		}
	}
	return objects
}
