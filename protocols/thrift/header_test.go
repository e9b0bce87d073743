package thrift

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

func headerRef(key string) codec.Ref { return codec.Ref{Property: propHeader, Key: key} }

func TestHeaders(t *testing.T) {
	own, lasting := infoSection(infoKeyValue, "a", "1", "b", "", "a", "2"), infoSection(infoPersistent, "a", "9", "c", "3")
	for _, info := range [][]byte{
		append(bytes.Clone(own), lasting...),
		append(bytes.Clone(lasting), own...),
		append(append(bytes.Clone(lasting), own...), 0x11, 0xff, 0xff, 0xff, 0xff, 0xff), // a section of another kind
	} {
		b := headerCall(info...)
		m, d, err := next(codec.FromClient, b, headerRef("a"))
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"a": "2", "b": "", "c": "3"} {
			if v, ok := d.Get(b[:m.Head], &m, headerRef(key)); !ok || string(v.Bytes) != want {
				t.Errorf("%x: %s is %q, %v", info, key, v.Bytes, ok)
			}
		}
		if _, ok := d.Get(b, &m, headerRef("A")); ok {
			t.Error("keys are told apart by case")
		}
	}
}

func TestHostileHeadersAreRefusedWhereTheyAreRead(t *testing.T) {
	limits := codec.Limits{Message: 1 << 20, Properties: 2, Depth: 8}
	for _, c := range []struct {
		name string
		info []byte
		want string
	}{
		{"three headers", infoSection(infoKeyValue, "a", "1", "b", "2", "c", "3"), "more than 2 headers"},
		{"three in two sections", append(infoSection(infoKeyValue, "a", "1", "b", "2"), infoSection(infoPersistent, "c", "3")...), "more than 2 headers"},
		{"2³²-1 headers", []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}, "ends too early"},
		{"a key over the header", []byte{1, 1, 200, 'a'}, "reaches over the header"},
		{"a count over 32 bits", []byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f}, "over 32 bits"},
	} {
		b := headerCall(c.info...)
		if _, _, err := nextWithin(limits, codec.FromClient, b); err != nil {
			t.Errorf("%s, that nobody reads: %v", c.name, err)
		}
		_, _, err := nextWithin(limits, codec.FromClient, b, headerRef("a"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTransformsAreRefused(t *testing.T) {
	b := headerCall()
	b[15] = 1 // transforms
	b[16] = 1 // zlib
	if _, _, err := next(codec.FromClient, b); err == nil || !strings.Contains(err.Error(), "zlib") {
		t.Errorf("%v", err)
	}
	b = headerCall()
	b[14] = 1 // JSON
	if _, _, err := next(codec.FromClient, b); err == nil || !strings.Contains(err.Error(), "protocol id 1") {
		t.Errorf("%v", err)
	}
}

func TestMutationWritesWhatPeersRead(t *testing.T) {
	set := func(k, v string) codec.Edit {
		return codec.Edit{Op: codec.Set, Ref: headerRef(k), Value: []byte(v)}
	}
	add := func(k, v string) codec.Edit {
		return codec.Edit{Op: codec.Add, Ref: headerRef(k), Value: []byte(v)}
	}
	remove := func(k string) codec.Edit { return codec.Edit{Op: codec.Remove, Ref: headerRef(k)} }
	ab := infoSection(infoKeyValue, "a", "1", "b", "2")
	for _, c := range []struct {
		name  string
		info  []byte
		edits []codec.Edit
		want  []byte
	}{
		{"none there", nil, []codec.Edit{set("a", "1")}, infoSection(1, "a", "1")},
		{"replace", ab, []codec.Edit{set("a", "9")}, infoSection(1, "b", "2", "a", "9")},
		{"add what is there", ab, []codec.Edit{add("a", "9")}, ab},
		{"add what is not", ab, []codec.Edit{add("c", "9")}, infoSection(1, "a", "1", "b", "2", "c", "9")},
		{"remove", ab, []codec.Edit{remove("a")}, infoSection(1, "b", "2")},
		{"remove all", ab, []codec.Edit{remove("a"), remove("b"), remove("c")}, nil},
		{"one after the other", ab, []codec.Edit{remove("a"), add("a", "3"), set("c", "4"), set("c", "5")}, infoSection(1, "b", "2", "a", "3", "c", "5")},
		{"twice there", infoSection(1, "a", "1", "a", "2"), []codec.Edit{set("a", "3")}, infoSection(1, "a", "3")},
		{"two sections", append(infoSection(2, "a", "1", "p", "q"), infoSection(1, "a", "2", "b", "3")...),
			[]codec.Edit{remove("a")}, append(infoSection(1, "b", "3"), infoSection(2, "p", "q")...)},
		{"another kind", append(bytes.Clone(ab), 0x11, 7, 7, 7), []codec.Edit{remove("a")}, append(infoSection(1, "b", "2"), 0x11, 7, 7, 7)},
	} {
		b := headerCall(c.info...)
		m, _, err := next(codec.FromClient, b)
		if err != nil {
			t.Fatal(err)
		}
		var p wire.Patch
		if err := New().Mutate(&p, b, &m, c.edits); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, want := p.AppendTo(nil, b), headerCall(c.want...); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x instead of\n%x", c.name, got, want)
		}
	}
}

func TestEditsWithoutAPlace(t *testing.T) {
	long := codec.Edit{Op: codec.Set, Ref: headerRef("a"), Value: make([]byte, maxHeader)}
	short := codec.Edit{Op: codec.Set, Ref: headerRef("a"), Value: []byte("1")}
	method := codec.Edit{Op: codec.Set, Ref: codec.Ref{Property: propMethod}, Value: []byte("g")}
	for _, c := range []struct {
		name string
		b    []byte
		edit codec.Edit
	}{
		{"framed", call(framed|binaryStrict, typeCall, "f", 1, noFields), short},
		{"unframed", call(unframed|compact, typeCall, "f", 1, noFields), short},
		{"over the header's limit", headerCall(), long},
		{"the method", headerCall(), method},
		{"a broken header", headerCall(1, 1, 200, 'a'), short},
	} {
		m, _, err := next(codec.FromClient, c.b)
		if err != nil {
			t.Fatal(err)
		}
		var p wire.Patch
		if err := New().Mutate(&p, c.b, &m, []codec.Edit{c.edit}); !errors.Is(err, codec.ErrNoCarrier) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
