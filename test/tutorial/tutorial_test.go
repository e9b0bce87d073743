package tutorial

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
	"github.com/aeraki-mesh/aeraki/tools/tutorial/steps"
)

// patience is for one step; a cold build of the proxy is the longest.
const patience = 5 * time.Minute

func TestAwesomeRPC(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "protocols", "awesomerpc.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := steps.Parse(string(text))
	if err == nil {
		err = otherPorts(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, root)
	for i := range all {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := r.follow(ctx, &all[i])
		cancel()
		if err != nil {
			r.lost = true
			t.Fatalf("awesomerpc.md:%d: %s: %v\n%s", all[i].Line, all[i].Kind, err, r.printed)
		}
	}
}

// newReader returns a reader whose processes end with the test.
func newReader(t *testing.T, root string) *reader {
	r := &reader{dir: t.TempDir(), env: environment(root), logf: t.Logf, running: map[string]*process{}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		problems := r.stop(ctx)
		if err := errors.Join(problems...); err != nil && !r.lost {
			t.Error(err)
		}
	})
	return r
}

func follow(t *testing.T, markdown string) (*reader, error) {
	all, err := steps.Parse(strings.ReplaceAll(markdown, "'''", "```"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, "/clone")
	for i := range all {
		if err := r.follow(t.Context(), &all[i]); err != nil {
			r.lost = true
			return r, err
		}
	}
	return r, nil
}

func TestAReaderNoticesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ markdown, want string }{
		"a command that fails":         {"'''sh\nfalse\ntrue\n'''", "exit status 1"},
		"a variable that is not set":   {"'''sh\necho $NOBODY_HAS_SET_THIS\n'''", "exit status"},
		"another output":               {"'''sh\necho one\n'''\n'''text output\ntwo\n'''", `no line "two"`},
		"a server that ends":           {"'''sh start=server ready=\"LISTENING\"\nsh -c 'echo no port; exit 3'\n'''", "exit status 3"},
		"a process that fails at last": {"'''sh start=a\nsh -c 'exit 4'\n'''\n'''sh wait=a\ntrue\n'''", "exit status 4"},
	} {
		if _, err := follow(t, c.markdown); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAReaderFollows(t *testing.T) {
	r, err := follow(t, `
'''text file=a/b.txt
hello
'''
'''sh start=waiter ready="now"
sh -c 'echo now; while ! test -e go; do sleep 0.01; done; echo done > result'
'''
'''sh
touch go
'''
'''sh wait=waiter
cat a/b.txt result
echo "$AERAKI"
'''
'''text output
hello
done
/clone
'''
'''sh start=server ready="up"
sh -c 'trap "exit 0" INT; echo up; while true; do sleep 0.01; done'
'''
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.running) != 1 {
		t.Errorf("running: %v", r.running)
	}
}

func TestPortsAreReplacedEverywhereAlike(t *testing.T) {
	all := []steps.Step{{Text: "7101 7102 17101 71011"}, {Text: "bind: 127.0.0.1:7101"}}
	if err := otherPorts(all); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(all[0].Text)
	if words[0] == "7101" || words[0] == words[1] || words[2] != "17101" || words[3] != "71011" || all[1].Text != "bind: 127.0.0.1:"+words[0] {
		t.Errorf("%v", all)
	}
}
