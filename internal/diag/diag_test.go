package diag

import (
	"slices"
	"testing"
)

func TestStringHasWhatIsKnown(t *testing.T) {
	router := Object{Kind: "MetaRouter", Namespace: "demo", Name: "hello"}
	cases := []struct {
		name string
		d    Diagnostic
		want string
	}{
		{"all of it", Diagnostic{Object: router, File: "a.yaml", Line: 7, Field: "spec.routes[0].match", Reason: "UnknownAttribute",
			Message: "no attribute \"metod\"", Severity: Error, Next: "use method"},
			`a.yaml:7: error: MetaRouter demo/hello: spec.routes[0].match: no attribute "metod" [UnknownAttribute] (use method)`},
		{"a file only", Diagnostic{File: "a.yaml", Message: "unreadable", Severity: Warning}, "a.yaml: warning: unreadable"},
		{"nothing but a message", Diagnostic{Message: "m"}, "m"},
	}
	for _, c := range cases {
		if got := c.d.String(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSortIsStableAndDropsRepeats(t *testing.T) {
	a := Diagnostic{File: "a.yaml", Line: 2, Reason: "R", Message: "x"}
	b := Diagnostic{File: "a.yaml", Line: 10, Reason: "R", Message: "x"}
	c := Diagnostic{File: "b.yaml", Line: 1, Reason: "Q", Message: "x"}
	want := []Diagnostic{a, b, c}
	for _, in := range [][]Diagnostic{{a, b, c}, {c, b, a}, {b, a, c, b}} {
		if got := Sort(in); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	}
}
