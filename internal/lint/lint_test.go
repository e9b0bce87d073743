package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/golden"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

func schemas() map[string]compile.ProtocolSchema {
	return map[string]compile.ProtocolSchema{
		"dubbo":  {Mutable: true, Properties: []codec.Property{{Name: "method"}, {Name: "attachment", Keyed: true, Fallback: true, Mutable: true}}},
		"thrift": {Properties: []codec.Property{{Name: "method"}}},
	}
}

// Each testdata/NAME.in.yaml has the findings of NAME.out.yaml.
func TestFindings(t *testing.T) {
	golden.Inputs(t, func(t *testing.T, name string, in []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), in, 0o600); err != nil {
			t.Fatal(err)
		}
		r, _, err := controller.CompileDir(dir, controller.CompileOptions{Options: compile.Options{Schemas: schemas()}})
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{}
		for _, d := range Findings(r) {
			lines = append(lines, strings.TrimPrefix(d.String(), dir+string(filepath.Separator)))
		}
		golden.Check(t, name, lines)
	})
}

// What covers says is so for every value that is tried.
func TestCoversIsRight(t *testing.T) {
	var matches []ir.PropertyMatch
	for _, invert := range []bool{false, true} {
		for _, m := range []ir.PropertyMatch{
			{Kind: ir.Exact, Value: "ab"}, {Kind: ir.Exact, Value: "7"}, {Kind: ir.Exact, Value: ""}, {Kind: ir.Prefix, Value: "a"},
			{Kind: ir.Prefix, Value: "ab"}, {Kind: ir.Suffix, Value: "b"}, {Kind: ir.Suffix, Value: "ab"}, {Kind: ir.Regex, Value: "a.*"},
			{Kind: ir.Present}, {Kind: ir.Absent}, {Kind: ir.Range, Start: 0, End: 10}, {Kind: ir.Range, Start: 5, End: 8},
		} {
			m.Property, m.Invert = "p", invert
			matches = append(matches, m)
		}
	}
	absent := func(m *ir.PropertyMatch) bool { return fitsAbsent(m) }
	covered := 0
	for _, a := range matches {
		for _, b := range matches {
			if !covers(&ir.Match{Properties: []ir.PropertyMatch{a}}, &ir.Match{Properties: []ir.PropertyMatch{b}}) {
				continue
			}
			covered++
			if absent(&b) && !absent(&a) {
				t.Errorf("%+v does not cover %+v: the property may be absent", a, b)
			}
			for _, v := range []string{"", "a", "b", "ab", "abc", "cab", "7", "5", "9", "-1", "10"} {
				if fitsValue(&b, v) && !fitsValue(&a, v) {
					t.Errorf("%+v does not cover %+v: see %q", a, b, v)
				}
			}
		}
	}
	if covered < 60 {
		t.Errorf("only %d of %d pairs are found to cover each other", covered, len(matches)*len(matches))
	}
}

// fitsValue is fits, for what asks of presence too.
func fitsValue(m *ir.PropertyMatch, v string) bool {
	if m.Kind == ir.Absent {
		return m.Invert
	}
	return fits(m, v)
}
