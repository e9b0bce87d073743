package compile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/golden"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/resource/decode"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// schemas stand for built-in protocols: one that can be mutated, one that
// cannot.
func schemas() map[string]ProtocolSchema {
	return map[string]ProtocolSchema{
		"dubbo": {Mutable: true, Parallel: true, Properties: []codec.Property{
			{Name: "interface"}, {Name: "method"}, {Name: "argument", Keyed: true}, {Name: "timeout", Type: codec.Int},
			{Name: "attachment", Keyed: true, Fallback: true, Mutable: true}}},
		"thrift": {Properties: []codec.Property{{Name: "method"}, {Name: "service"}}},
	}
}

// output is what a golden file holds.
type output struct {
	Diagnostics []string       `json:"diagnostics,omitempty"`
	Objects     []ObjectStatus `json:"objects,omitempty"`
	Mesh        *ir.Mesh       `json:"mesh"`
}

// TestGolden compiles each testdata/NAME.in.yaml, with the last good forms of
// NAME.lastgood.yaml and the options of NAME.options.yaml.
func TestGolden(t *testing.T) {
	golden.Inputs(t, func(t *testing.T, name string, in []byte) {
		o := Options{}
		golden.Companion(t, name, "options", &o)
		o.Schemas = schemas()
		docs := decode.File(name+".in.yaml", in, 1)
		lastGood := lastGoodOf(t, name)
		r := Compile(resource.NewSnapshot(items(docs), lastGood), o)
		golden.Check(t, name, newOutput(docs, r))

		// The order of documents and of maps changes nothing.
		slices.Reverse(docs)
		for range 3 {
			again := Compile(resource.NewSnapshot(items(docs), lastGood), o)
			if a, b := marshal(t, newOutput(docs, r)), marshal(t, newOutput(docs, again)); a != b {
				t.Fatalf("compiled again it is\n%s\nnot\n%s", b, a)
			}
		}
	})
}

func lastGoodOf(t *testing.T, name string) map[resource.Key]*resource.Item {
	path := filepath.Join("testdata", name+".lastgood.yaml")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	docs := decode.File(path, data, 1)
	for _, d := range docs {
		if len(d.Diagnostics) > 0 {
			t.Fatalf("a last good form is bad: %s", diag.Text(d.Diagnostics))
		}
	}
	return items(docs)
}

func items(docs []decode.Document) map[resource.Key]*resource.Item {
	out := map[resource.Key]*resource.Item{}
	for _, d := range docs {
		if d.Item != nil {
			out[d.Key] = d.Item
		}
	}
	return out
}

func newOutput(docs []decode.Document, r *Result) output {
	out := output{Mesh: r.Mesh, Objects: r.Objects}
	all := slices.Clone(r.Diagnostics)
	for _, d := range docs {
		all = append(all, d.Diagnostics...)
	}
	for _, d := range diag.Sort(all) {
		out.Diagnostics = append(out.Diagnostics, d.String())
	}
	return out
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
