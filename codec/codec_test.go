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
	if len(w.Refs()) != 2 || !w.Has(1) || !w.Has(3) || w.Has(0) {
		t.Fatal(w)
	}
	var none *Want
	if none.Has(0) || none.Refs() != nil {
		t.Fatal("a nil Want wants something")
	}
}
