package codectest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// run runs one check of a kit and returns what it reports and logs.
func run(t *testing.T, k Kit, name string) (reported, logged string) {
	t.Helper()
	c, err := LoadCaptures(k.Captures)
	if err != nil {
		t.Fatal(err)
	}
	s := newSuite(k, c)
	s.report = func(format string, args ...any) { reported += fmt.Sprintf(format, args...) + "\n" }
	s.log = func(format string, args ...any) { logged += fmt.Sprintf(format, args...) + "\n" }
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	s.guard(checks[i].run, patience)
	return reported, logged
}

// A field that is the property trace too is allowed where the kit says so.
func TestEditsMayFeedOtherProperties(t *testing.T) {
	k := Kit{Protocol: &tiny{twoNames: true}, Captures: captures()}
	if got, _ := run(t, k, "mutation"); !strings.Contains(got, "it changed trace from") {
		t.Errorf("%q", got)
	}
	k.Feeds = map[string][]string{"field[trace]": {"trace"}, "trace": {"field[trace]"}}
	if got, _ := run(t, k, "mutation"); got != "" {
		t.Error(got)
	}
}

func TestLinesAreTakenApart(t *testing.T) {
	k := Kit{Protocol: &tiny{}, Captures: captures()}
	c, err := LoadCaptures(k.Captures)
	if err != nil {
		t.Fatal(err)
	}
	s := newSuite(k, c)
	if s.report = t.Errorf; !s.prepare() {
		return
	}
	var names []string
	for _, f := range s.frames {
		names = append(names, f.name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "talk.frames:4 talk.frames:4, message 2 talk.frames:5") {
		t.Error(got)
	}
}

func TestALineThatEndsTooEarly(t *testing.T) {
	b := tinyMessage(tinyRequest, 7, "hello", "")
	k := Kit{Protocol: &tiny{}, Captures: fstest.MapFS{"a.frames": {Data: []byte("C " + hexOf(b[:14]))}}}
	if got, _ := run(t, k, "whole"); !strings.Contains(got, "the line ends before its message: 17 bytes are asked for, 14 are there") {
		t.Error(got)
	}
}

func TestTheKitSaysWhatCapturesLack(t *testing.T) {
	_, got := run(t, Kit{Protocol: &tiny{}, Captures: captures(), Keys: []string{"user"}}, "coverage")
	for _, what := range []string{"a push", "a go-away", "a protocol error", "a request with a deadline", "overtakes"} {
		if !strings.Contains(got, what) {
			t.Errorf("not %q: %s", what, got)
		}
	}
	for _, what := range []string{"a request;", "an application error", "a value of"} {
		if strings.Contains(got, what) {
			t.Errorf("%q: %s", what, got)
		}
	}
}

// The name of a protocol excuses nothing; that it says which one it speaks does.
func TestOnlyWhatAProtocolSpeaksIsItsOwn(t *testing.T) {
	k := Kit{Protocol: &tiny{sniffsAll: true}, Captures: captures()}
	all, _ := run(t, k, "sniffing")
	for _, x := range foreign {
		k.Speaks = append(k.Speaks, x.protocol)
	}
	none, _ := run(t, k, "sniffing")
	if !strings.Contains(all, "are taken for tiny") || none != "" {
		t.Errorf("%q, %q", all, none)
	}
}

func TestCuts(t *testing.T) {
	for _, n := range []int{1, 2, 100, 1000, 70_000} {
		got := cuts(n, 64)
		if !slices.IsSorted(got) || n <= 64 && len(got) != n-1 || len(got) > 128 {
			t.Errorf("%d bytes: %v", n, got)
		}
		if n > 1 && (got[0] != 1 || got[len(got)-1] != n-1) {
			t.Errorf("%d bytes: from %d to %d", n, got[0], got[len(got)-1])
		}
	}
}
