package codec

import "testing"

func TestFindProperty(t *testing.T) {
	plain := []Property{{Name: "method"}, {Name: "header", Keyed: true}}
	open := []Property{{Name: "method"}, {Name: "argument", Keyed: true}, {Name: "attachment", Keyed: true, Fallback: true}}
	for _, c := range []struct {
		in   []Property
		name string
		want Ref
		ok   bool
	}{
		{plain, "method", Ref{0, ""}, true},
		{plain, "header[user]", Ref{1, "user"}, true},
		{plain, "user", Ref{}, false},
		{plain, "header[]", Ref{}, false},
		{plain, "header", Ref{}, false},
		{plain, "method[x]", Ref{}, false},
		{open, "user", Ref{2, "user"}, true},
		{open, "argument[0]", Ref{1, "0"}, true},
		{open, "attachment[a.b]", Ref{2, "a.b"}, true},
		{open, "", Ref{}, false},
	} {
		got, err := FindProperty(c.in, c.name)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%q: %v, %v", c.name, got, err)
		}
		if err == nil {
			if again, _ := FindProperty(c.in, RefName(c.in, got)); again != got {
				t.Errorf("%q does not survive RefName", c.name)
			}
		}
	}
}

func TestWant(t *testing.T) {
	w := NewWant(Ref{1, "a"}, Ref{1, "a"}, Ref{3, ""})
	if w.Empty() || len(w.Refs()) != 2 || !w.Has(1) || !w.Has(3) || w.Has(0) {
		t.Fatal(w)
	}
	var none *Want
	if none.Has(0) || none.Refs() != nil || !none.Empty() || !NewWant().Empty() {
		t.Fatal("a nil Want wants something")
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for c := NoRoute; c <= BadReply; c++ {
		if name := c.String(); name == "unknown" || seen[name] {
			t.Errorf("cause %d is %q", c, name)
		} else {
			seen[name] = true
		}
	}
	for k := Request; k <= GoAway; k++ {
		if k.String() == "unknown" {
			t.Errorf("kind %d has no name", k)
		}
	}
	if (BadReply+1).String() != "unknown" || (GoAway+1).String() != "unknown" {
		t.Error("what is unknown has a name")
	}
}
