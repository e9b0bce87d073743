package docs

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/internal/bootstrap"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

const proxyPage = "../../docs/proxy.md"

// TestProxyPageShowsWhatTheProxySays runs the page's commands against a real
// proxy and compares what it prints; and the tables of pages and metrics with
// what that proxy has.
func TestProxyPageShowsWhatTheProxySays(t *testing.T) {
	w := newWorld(t)
	w.call(100)
	text := read(t, proxyPage)
	w.tables(text)
	ran := 0
	got := block.ReplaceAllStringFunc(text, func(b string) string {
		m := block.FindStringSubmatch(b)
		if m[1] != "console" {
			return b
		}
		out := "```console\n"
		for line := range strings.Lines(m[2]) {
			if strings.HasPrefix(line, "$ ") {
				ran++
				out += line + w.command(strings.TrimSpace(line[2:]))
			}
		}
		return out + "```"
	})
	if ran < 10 {
		t.Errorf("only %d commands are found", ran)
	}
	w.proxy.says(`msg=drain`)
	compare(t, proxyPage, text, got)
}

var curl = regexp.MustCompile(`^curl -s (?:-X (POST) )?'?localhost:15000(/[^' ]*)'?(?: \| grep (\S+))?$`)

// command runs one line of the page: the proxy, or curl as far as it is used.
func (w *world) command(line string) string {
	w.t.Helper()
	if args, found := strings.CutPrefix(line, "aeraki-proxy "); found {
		out, _ := run(w.t, ".", "aeraki-proxy", strings.Fields(args)...)
		return out
	}
	m := curl.FindStringSubmatch(line)
	if m == nil {
		w.t.Fatalf("the test cannot run %q", line)
	}
	method := "GET"
	if m[1] != "" {
		method = m[1]
	}
	out := w.page(method, m[2])
	if m[3] == "" {
		return compact(w.normal(out))
	}
	var found string
	for l := range strings.Lines(out) {
		if strings.Contains(l, m[3]) {
			found += l
		}
	}
	return found
}

// tables compares the tables of pages and of metrics with the proxy.
func (w *world) tables(text string) {
	w.t.Helper()
	pages := []string{"GET /"}
	for _, m := range regexp.MustCompile(`(GET|POST) +(/[a-z]+)`).FindAllStringSubmatch(w.page("GET", "/"), -1) {
		pages = append(pages, m[1]+" "+m[2])
	}
	same(w.t, "## Admin endpoint", firstColumn(section(w.t, text, "## Admin endpoint")), pages)

	var metrics []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ((?:aeraki|istio)_\S+) (\S+)$`).FindAllStringSubmatch(w.page("GET", "/metrics"), -1) {
		metrics = append(metrics, m[1]+" "+m[2])
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (counter|gauge|histogram) \\|").FindAllStringSubmatch(section(w.t, text, "## Metrics"), -1) {
		told = append(told, m[1]+" "+m[2])
	}
	same(w.t, "## Metrics", told, metrics)
}

func TestProxyPageHasEveryEvent(t *testing.T) {
	var events []string
	for e := range engine.Events {
		events = append(events, engine.Event(e).String())
	}
	same(t, "## Events", firstColumn(section(t, read(t, proxyPage), "## Events")), events)
}

func TestProxyPageHasEveryResult(t *testing.T) {
	var results, told []string
	for r := range engine.Results {
		results = append(results, engine.Result(r).Code()+" "+engine.Result(r).Flags())
	}
	for _, m := range regexp.MustCompile("(?m)^\\| [^|]* \\| `(\\d+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(section(t, read(t, proxyPage), "## Local replies"), -1) {
		told = append(told, m[1]+" "+m[2])
	}
	if len(told) != len(results) {
		t.Errorf("the table has %d rows for %d results", len(told), len(results))
	}
	same(t, "## Local replies", told, results)
}

func TestProxyPageHasTheDefaults(t *testing.T) {
	l := engine.DefaultLimits()
	text := section(t, read(t, proxyPage), "## Limits and defaults")
	for _, want := range []string{
		fmt.Sprintf("| size of a message | %d MiB |", l.Codec.Message>>20),
		"| entries of a keyed family | " + thousands(l.Codec.Properties) + " |",
		"| nesting | " + thousands(l.Codec.Depth) + " |",
		"| client connections of a listener, per process | " + thousands(l.Connections) + " |",
		"| requests in flight of a client connection | " + thousands(l.RequestsPerConnection) + " |",
		"| requests in flight of a listener, per worker | " + thousands(l.Requests) + " |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not have %q", want)
		}
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

func TestProxyPageHasEveryField(t *testing.T) {
	same(t, "## Configuration file", firstColumn(section(t, read(t, proxyPage), "## Configuration file")), fields(reflect.TypeFor[bootstrap.Config](), ""))
}

// fields returns the paths of a struct's fields, by their JSON names.
func fields(typ reflect.Type, at string) []string {
	var out []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		f := typ.Field(i).Type
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		switch {
		case f.Kind() == reflect.Struct:
			out = append(out, fields(f, at+name+".")...)
		case f.Kind() == reflect.Slice:
			out = append(out, at+name)
			out = append(out, fields(f.Elem(), at+name+"[].")...)
		default:
			out = append(out, at+name)
		}
	}
	return out
}

func TestProxyConfigurationsAreValid(t *testing.T) {
	n := 0
	for _, m := range block.FindAllStringSubmatch(read(t, proxyPage), -1) {
		if m[1] != "yaml" {
			continue
		}
		n++
		if _, err := bootstrap.Parse([]byte(m[2])); err != nil {
			t.Errorf("%s\n%v", m[2], err)
		}
	}
	if n < 3 {
		t.Errorf("only %d configurations are found", n)
	}
}

// TestProxyConfigurationsAreServed: the control plane has what they ask for.
func TestProxyConfigurationsAreServed(t *testing.T) {
	for name, rules := range map[string]string{"proxy.yaml": "hello", "server-proxy.yaml": "hello", "gateway.yaml": "gateway"} {
		file := filepath.Join(t.TempDir(), name)
		write(t, file, configuration(t, name))
		if out, code := aeraki(t, examples, "compile", "-f", rules, "--node", file, "-o", "table"); code != 0 || !strings.Contains(out, "Listener ") {
			t.Errorf("%s with docs/examples/%s: exit code %d\n%s", name, rules, code, out)
		}
	}
}

// TestProxyPageHasEveryLogLine: the table has what the proxy's packages log.
func TestProxyPageHasEveryLogLine(t *testing.T) {
	var lines, told []string
	for _, folder := range []string{"proxy", "internal/xdsclient", "internal/cluster", "internal/driver/loop", "internal/admin"} {
		for _, path := range glob(t, filepath.Join("../..", folder, "*.go")) {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			for _, m := range regexp.MustCompile(`[lL]og\.(Info|Warn|Error)\("([^"]+)"`).FindAllStringSubmatch(read(t, path), -1) {
				lines = append(lines, strings.ToUpper(m[1])+" "+m[2])
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\| (INFO|WARN|ERROR) \| (.*?) \|`).FindAllStringSubmatch(section(t, read(t, proxyPage), "## Log"), -1) {
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			told = append(told, m[1]+" "+q[1])
		}
	}
	same(t, "## Log", told, lines)
}
