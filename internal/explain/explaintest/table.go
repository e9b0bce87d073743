// Package explaintest runs tables of requests with the clusters that they are
// expected to take, through the compiler and the engine's real route table. A
// table is a file NAME.requests.yaml beside the resources, NAME.in.yaml; whoever
// has golden pairs can put tables beside them.
package explaintest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// Table is the content of NAME.requests.yaml.
type Table struct {
	// Input is the path of the resources, relative to the table; NAME.in.yaml
	// beside it if empty.
	Input string `json:"input,omitempty"`
	// MeshScopedRouters is compile's option.
	MeshScopedRouters bool      `json:"meshScopedRouters,omitempty"`
	Requests          []Request `json:"requests"`
}

// Request is one row.
type Request struct {
	// Name says what the row promises.
	Name string `json:"name"`
	// Host, Port, From, Gateway and Attributes are the question.
	Host       string            `json:"host"`
	Port       uint32            `json:"port,omitempty"`
	From       *explain.Caller   `json:"from,omitempty"`
	Gateway    string            `json:"gateway,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Want       Want              `json:"want"`
}

// Want is what is expected. Exactly one of Route, NoRoute and Error is given.
type Want struct {
	// Route is the name of the route that is taken.
	Route string `json:"route,omitempty"`
	// NoRoute: no route matches.
	NoRoute bool `json:"noRoute,omitempty"`
	// Error is part of the error's text.
	Error string `json:"error,omitempty"`
	// Clusters by name, with their shares in percent.
	Clusters map[string]float64 `json:"clusters,omitempty"`
	// Mirror likewise, with the percentage that is copied.
	Mirror map[string]float64 `json:"mirror,omitempty"`
	// Timeout as Go writes it.
	Timeout string `json:"timeout,omitempty"`
	// Hash are the parts that are hashed: property=value, property (absent
	// from the request), or sourceAddress.
	Hash []string `json:"hash,omitempty"`
	// Endpoints by cluster; clusters that are not named are not compared.
	Endpoints map[string][]string `json:"endpoints,omitempty"`
	// Why are parts of what is said of the routes before, in order.
	Why []string `json:"why,omitempty"`
	// Notes are parts of the answer's notes, in order.
	Notes []string `json:"notes,omitempty"`
	// Request and Reply are the mutations: op property=value.
	Request []string `json:"requestMutation,omitempty"`
	Reply   []string `json:"responseMutation,omitempty"`
}

// Run runs every table of the folder, each in a subtest.
func Run(t *testing.T, dir string, known explain.Known) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.requests.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tables of requests in %s (%v)", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".requests.yaml"), func(t *testing.T) { runTable(t, path, known) })
	}
}

func runTable(t *testing.T, path string, known explain.Known) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := Table{}
	if err := yaml.UnmarshalStrict(data, &table); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	input := strings.TrimSuffix(path, ".requests.yaml") + ".in.yaml"
	if table.Input != "" {
		input = filepath.Join(filepath.Dir(path), table.Input)
	}
	r := compileFile(t, input, compile.Options{Schemas: known.Schemas, MeshScopedRouters: table.MeshScopedRouters})
	if len(table.Requests) == 0 {
		t.Fatalf("%s has no requests", path)
	}
	for i := range table.Requests {
		q := &table.Requests[i]
		t.Run(q.Name, func(t *testing.T) { q.run(t, r, known) })
	}
}

// compileFile compiles a folder that holds this one file.
func compileFile(t *testing.T, path string, o compile.Options) *controller.Result {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _, err := controller.CompileDir(dir, controller.CompileOptions{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (q *Request) run(t *testing.T, r *controller.Result, known explain.Known) {
	a, err := explain.Explain(r, known.Filters, explain.Question{Host: q.Host, Port: q.Port, Caller: q.From, Gateway: q.Gateway, Attributes: q.Attributes})
	if q.Want.Error != "" {
		if err == nil || !strings.Contains(err.Error(), q.Want.Error) {
			t.Errorf("the error is %v, want one with %q", err, q.Want.Error)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := q.Want
	want.Endpoints, want.Why, want.Notes = nil, nil, nil
	if diff := cmp.Diff(want, got(a)); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, a.Text())
	}
	q.Want.endpoints(t, a)
	q.Want.why(t, a)
}

// got is the answer in the form in which it is expected.
func got(a *explain.Answer) Want {
	o := a.Outcome
	if o == nil {
		return Want{NoRoute: true}
	}
	w := Want{Route: o.Route, Timeout: o.Timeout, Clusters: map[string]float64{}}
	for _, c := range o.Clusters {
		w.Clusters[c.Cluster] = c.Share
	}
	if o.Mirror != nil {
		w.Mirror = map[string]float64{o.Mirror.Cluster: o.Mirror.Share}
	}
	for _, h := range o.Hash {
		switch {
		case h.SourceAddress:
			w.Hash = append(w.Hash, "sourceAddress")
		case h.Value == nil:
			w.Hash = append(w.Hash, h.Property)
		default:
			w.Hash = append(w.Hash, h.Property+"="+*h.Value)
		}
	}
	w.Request, w.Reply = mutations(o.Request), mutations(o.Reply)
	return w
}

func mutations(in []explain.Mutation) []string {
	var out []string
	for _, m := range in {
		text := fmt.Sprintf("%s %s", m.Op, m.Property)
		if m.Op != "remove" {
			text += "=" + m.Value
		}
		out = append(out, text)
	}
	return out
}

func (w *Want) endpoints(t *testing.T, a *explain.Answer) {
	t.Helper()
	if len(w.Endpoints) == 0 {
		return
	}
	have := map[string][]string{}
	for _, c := range a.Outcome.Clusters {
		have[c.Cluster] = c.Endpoints
	}
	maps.DeleteFunc(have, func(name string, _ []string) bool { _, asked := w.Endpoints[name]; return !asked })
	if diff := cmp.Diff(w.Endpoints, have); diff != "" {
		t.Errorf("endpoints -want +got:\n%s", diff)
	}
}

func (w *Want) why(t *testing.T, a *explain.Answer) {
	t.Helper()
	var lines []string
	for _, s := range a.Steps {
		lines = append(lines, s.Why...)
	}
	inOrder(t, w.Why, lines)
	inOrder(t, w.Notes, a.Notes)
}

// inOrder reports the first part that the lines do not have after the ones
// before it.
func inOrder(t *testing.T, parts, lines []string) {
	t.Helper()
	rest := strings.Join(lines, "\n")
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("nothing says %q, in this order; it says\n%s", part, strings.Join(lines, "\n"))
			return
		}
		rest = after
	}
}
