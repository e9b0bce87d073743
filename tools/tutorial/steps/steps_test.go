package steps

import (
	"reflect"
	"strings"
	"testing"
)

func markdown(text string) string { return strings.ReplaceAll(text, "'''", "```") }

func TestParse(t *testing.T) {
	got, err := Parse(markdown(`# Title
'''go file=codec.go
package x
'''
'''go
not a step
'''
'''sh
go test ./...
'''
'''text output
ok  …
'''
text
'''sh start=server ready="LISTENING on"
bin/server
'''
'''
nothing
'''
`))
	want := []Step{
		{Kind: File, Line: 2, Path: "codec.go", Text: "package x\n"},
		{Kind: Run, Line: 8, Text: "go test ./...\n"},
		{Kind: Output, Line: 11, Text: "ok  …\n"},
		{Kind: Start, Line: 15, Name: "server", Ready: "LISTENING on", Text: "bin/server\n"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"'''go file=../codec.go\n'''":                   `line 1: what is "file=../codec.go"`,
		"'''go file=/etc/x\n'''":                        `line 1: what is "file=/etc/x"`,
		"'''go file\n'''":                               `line 1: what is "file"`,
		"\n'''go fiel=codec.go\n'''":                    `line 2: what is "fiel=codec.go"`,
		"'''go start=x\n'''":                            `line 1: what is "start=x"`,
		"'''sh ready=x\n'''":                            `line 1: what is "ready=x"`,
		"'''sh ?\n'''":                                  `line 1: what is "?"`,
		"'''sh wait=a\nx\n'''":                          "line 1: a was not started",
		"'''go wait=a\nx\n'''":                          `line 1: what is "wait=a"`,
		"'''sh\nls":                                     "line 1: the block is not closed",
		"'''text output\nx\n'''":                        "line 1: output must follow commands",
		"'''sh start=a\nx\n'''\n'''text output\nx\n'''": "line 4: output must follow commands",
	} {
		if _, err := Parse(markdown(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	const got = "first\n  ok  \texample.com\t0.01s\nlast line\n"
	for want, missing := range map[string]string{
		"":                        "",
		"first\nlast line\n":      "",
		"ok …s\n":                 "",
		"ok … example\n":          "ok … example",
		"…example.com…\nlast …\n": "",
		"last line\nfirst\n":      "first",
		"first\nfirst\n":          "first",
		"fir\n":                   "fir",
		"…line\n":                 "",
		"l…n…e\n":                 "",
		"fi…st…t\n":               "fi…st…t",
	} {
		if line, ok := Matches(want, got); line != missing || ok != (missing == "") {
			t.Errorf("%q: %q, %v", want, line, ok)
		}
	}
}
