package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
)

var update = flag.Bool("update", false, "rewrite the outputs in docs/cli.md")

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// The examples of docs/cli.md print what it says. Blocks that begin with
// "# NAME.yaml" are files; "$ aeraki …" lines are run where these lie, in order,
// and what follows is what they print; "# exits N" tells the exit code, "&"
// leaves a controller running.
func TestTheDocumentsExamplesAreReal(t *testing.T) {
	path, err := filepath.Abs("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	d := &document{t: t, commands: map[string]bool{}}
	got := d.run(string(text))
	for _, c := range newRoot(nil).Commands() {
		if !d.commands[c.Name()] && c.Name() != "help" {
			t.Errorf("docs/cli.md has no example of aeraki %s", c.Name())
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got); diff != "" {
		t.Errorf("docs/cli.md (-says +is); run with -update and read what changed:\n%s", diff)
	}
}

type document struct {
	t        *testing.T
	commands map[string]bool
}

var block = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")

// run returns the document with the outputs as they are.
func (d *document) run(text string) string {
	return block.ReplaceAllStringFunc(text, func(b string) string {
		m := block.FindStringSubmatch(b)
		if m[1] == "yaml" {
			d.file(m[2])
			return b
		}
		return "```console\n" + d.console(m[2]) + "```"
	})
}

func (d *document) file(content string) {
	name, found := strings.CutPrefix(strings.SplitN(content, "\n", 2)[0], "# ")
	if !found || !strings.HasSuffix(name, ".yaml") {
		return
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *document) console(content string) string {
	var out strings.Builder
	for line := range strings.Lines(content) {
		command, found := strings.CutPrefix(line, "$ aeraki ")
		if !found {
			continue // what an earlier run printed
		}
		out.WriteString(line)
		out.WriteString(d.command(strings.TrimSpace(command)))
	}
	return out.String()
}

func (d *document) command(line string) string {
	line, exits, found := strings.Cut(line, "  # exits ")
	want := exitOK
	if found {
		if _, err := fmt.Sscan(exits, &want); err != nil {
			d.t.Fatalf("%q: %v", exits, err)
		}
	}
	line, background := strings.CutSuffix(line, " &")
	args := words(line)
	d.commands[args[0]] = true
	var b buffer
	if background {
		d.controller(args, &b)
	} else if code := run(d.t.Context(), args, &b, &b); code != want {
		d.t.Errorf("aeraki %s: exit code %d, want %d", line, code, want)
	}
	return normal(b.String())
}

// controller runs until the test ends, with a proxy of the test kit that takes
// all that it is given.
func (d *document) controller(args []string, b *buffer) {
	addr := serve(d.t, b, args...)
	c := adstest.Dial(d.t, addr, "client-1", map[string]any{"namespace": "demo", "protocols": []any{"thrift"}, "filters": []any{"mirror", "mutation"},
		"listeners": []any{map[string]any{"name": "hello", "bind": "127.0.0.1:9090", "outbound": map[string]any{"host": "hello.demo.svc.cluster.local", "port": 9090}}}})
	c.Subscribe(xds.ListenerType)
	c.WaitFor(xds.ListenerType, "hello")
	const table = "hello.demo.svc.cluster.local_9090"
	c.Subscribe(xds.RouteType, table)
	c.WaitFor(xds.RouteType, table)
	for _, subset := range []string{"v1", "v2"} {
		name := "outbound|9090|" + subset + "|hello.demo.svc.cluster.local"
		c.Subscribe(xds.ClusterType, name)
		c.WaitFor(xds.ClusterType, name)
		c.Subscribe(xds.EndpointType, name)
		c.WaitFor(xds.EndpointType, name)
	}
	waitSynced(d.t, args)
}

// waitSynced waits until the controller has counted the proxy's answers.
func waitSynced(t *testing.T, args []string) {
	t.Helper()
	status := args[slices.Index(args, "--status")+1]
	waitFor(t, func() bool {
		s, err := askStatus(t.Context(), status)
		if err != nil {
			t.Fatal(err)
		}
		return len(s.Proxies) == 1 && s.Proxies[0].Synced
	})
}

// waitFor asks again until it is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("what must happen did not")
		}
	}
}

// serve runs the command until the test ends and returns where its ADS is.
func serve(t *testing.T, b *buffer, args ...string) net.Addr {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, b, b) }()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("aeraki %s: exit code %d\n%s", strings.Join(args, " "), code, b.String())
		}
	})
	m := b.waitFor(t, regexp.MustCompile(`msg=serving config=\S+ ads=(\S+)`))
	if path, unix := strings.CutPrefix(m[1], "unix:"); unix {
		return address{"unix", path}
	}
	return address{"tcp", m[1]}
}

type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

// buffer is what a command prints, while it runs.
type buffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written != nil {
		close(b.written)
		b.written = nil
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) waitFor(t *testing.T, re *regexp.Regexp) []string {
	t.Helper()
	late := time.After(patience)
	for {
		b.mu.Lock()
		m := re.FindStringSubmatch(b.b.String())
		written := make(chan struct{})
		b.written = written
		b.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-written:
		case <-late:
			t.Fatalf("%s is not printed:\n%s", re, b.String())
		}
	}
}

// words splits a command line as a shell does, as far as the examples need it.
func words(line string) []string {
	var out []string
	quoted, open := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted = !quoted
			open = openWord(&out, open)
		case r == ' ' && !quoted:
			open = false
		default:
			open = openWord(&out, open)
			out[len(out)-1] += string(r)
		}
	}
	return out
}

func openWord(out *[]string, open bool) bool {
	if !open {
		*out = append(*out, "")
	}
	return true
}

// normal replaces what differs from run to run.
func normal(out string) string {
	for _, r := range []struct{ from, to string }{
		{`time=\S+`, "time=2026-01-01T00:00:00.000Z"},
		{`took=\S+`, "took=1ms"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "2026-01-01T00:00:00Z"},
		{`(?m)^go: .*`, "go: go1.26.0"},
		{`(?m)^platform: .*`, "platform: linux/amd64"},
		{`(?m)^version: (\(devel\)|v\d.*|unknown)`, "version: (devel)"},
	} {
		out = regexp.MustCompile(r.from).ReplaceAllString(out, r.to)
	}
	return out
}
