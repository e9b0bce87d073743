package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

const service = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo]
  ports: [{number: 9090, name: tcp-metaprotocol-thrift}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
`

const router = `apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo]
  routes: [{name: all, route: [{destination: {host: hello.demo}}]}]
`

// in writes files, makes their folder the working one, and returns what a
// command prints there.
func in(t *testing.T, files map[string]string) func(args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (int, string, string) {
		var out, err bytes.Buffer
		code := run(t.Context(), args, &out, &err)
		return code, out.String(), err.String()
	}
}

func TestWrongCommandLinesSayWhatToWrite(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "a-file.yaml": service})
	for _, c := range []struct{ line, want string }{
		{"analise", `there is no command "analise"; did you mean aeraki analyze?`},
		{"whatever", `there is no command "whatever"; aeraki --help lists the commands`},
		{"compile", "-f is missing: name the folder of YAML, as in aeraki compile -f ./rules"},
		{"analyze -f nowhere", "there is no folder nowhere; name an existing one with -f"},
		{"analyze -f a-file.yaml", "a-file.yaml is a file; name the folder that it is in with -f"},
		{"analyze -f rules -o xml", `-o "xml" is none of json, yaml and table`},
		{"analyze -f rules --fail-on info", `--fail-on "info" is neither error nor warning`},
		{"analyze rules", `"rules" is too much: aeraki analyze takes flags only; see aeraki analyze --help`},
		{"compile -f rules --nod x", "unknown flag: --nod; aeraki compile --help lists the flags"},
		{"compile -f rules --node none.yaml", "--node: open none.yaml: no such file or directory; name the configuration file of an aeraki-proxy"},
		{"explain -f rules", "--host is missing: name the service that is called, as in aeraki explain -f ./rules --host hello.demo.svc.cluster.local"},
		{"explain -f rules --host hello.demo:http", `--host hello.demo:http: "http" is no port; write a number from 1 to 65535`},
		{"explain -f rules --host hello.demo --from-labels app", `--from-labels: "app" is not name=value`},
		{"explain -f rules --host hello.demo --gateway a/b --from-namespace c", "--gateway excludes --from-namespace and --from-labels: a gateway does not know its callers"},
		{"explain -f rules --host hello.demo =x", `"=x" is not attribute=value; write what the request says, as method=sayHello`},
		{"explain -f rules --host hello.demo method=a method=b", "attribute method is given twice; leave one of them out"},
		{"controller", "--config is missing: name the folder of YAML, as in aeraki controller --config ./rules"},
		{"controller --config rules --log-level loud", `--log-level "loud" is none of debug, info, warn and error`},
		{"proxy-status a b", `"b" is too much: aeraki proxy-status takes the name of one proxy, or none for all`},
	} {
		code, stdout, stderr := aeraki(strings.Fields(c.line)...)
		if code != exitUsage || stdout != "" || stderr != "aeraki: "+c.want+"\n" {
			t.Errorf("aeraki %s: exit code %d, %q on stdout, on stderr\n%swant\naeraki: %s", c.line, code, stdout, stderr, c.want)
		}
	}
}

func TestErrorsExitWith1AndSayTheNextStep(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "empty/.keep": "", "proxy.yaml": "node: {id: a, namespace: demo}\n", "bad.yaml": "node: ["})
	for _, c := range []struct{ line, want string }{
		{"explain -f rules --host helo.demo", `no managed service has host "helo.demo"; did you mean hello.demo?`},
		{"explain -f empty --host helo.demo", `no managed service has host "helo.demo": the folder has no ServiceEntry with a port named tcp-metaprotocol-<protocol>; add one`},
		{"explain -f rules --host hello.demo:1", "hello.demo has no managed port 1; name one of 9090"},
		{"explain -f rules --host hello.demo metod=a", `thrift: attribute "metod" is not one of method, service, function, header[*]; did you mean method?`},
		{"explain -f rules --host hello.demo --gateway a/b", `no MetaRouter of hello.demo is for port 9090 of gateway "a/b"; name the gateway in its spec.gateways`},
		{"compile -f rules --node proxy.yaml", "proxy.yaml: listeners: there are none"},
		{"compile -f rules --node bad.yaml", "bad.yaml: "},
		{"proxy-status --status unix:none.sock", "no controller answers at unix:none.sock (no such file or directory); start one with aeraki controller, or name its --status"},
		{"controller --config rules --listen 0.0.0.0:0", "0.0.0.0:0 is not loopback; use a loopback address or unix:/path"},
	} {
		code, stdout, stderr := aeraki(strings.Fields(c.line)...)
		if code != exitFindings || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("aeraki %s: exit code %d, %q on stdout, on stderr\n%swant\n%s", c.line, code, stdout, stderr, c.want)
		}
	}
}

func TestAnalyzeFailsAsItIsTold(t *testing.T) {
	warned := strings.Replace(service, "endpoints:", "workloadSelector: {labels: {app: x}} #", 1)
	broken := strings.Replace(router, "hosts: [hello.demo]", "hosts: []", 1)
	for _, c := range []struct {
		name, text, failOn string
		want               int
	}{
		{"nothing", service, "warning", exitOK}, {"a warning", warned, "error", exitOK}, {"a warning", warned, "warning", exitFindings},
		{"an error", broken, "error", exitFindings}, {"an error", broken, "warning", exitFindings},
	} {
		aeraki := in(t, map[string]string{"rules/a.yaml": c.text})
		code, stdout, stderr := aeraki("analyze", "-f", "rules", "--fail-on", c.failOn, "-o", "json")
		found := []diag.Diagnostic{}
		if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != c.want || stderr != "" {
			t.Errorf("%s, --fail-on %s: exit code %d, want %d; %v\n%s%s", c.name, c.failOn, code, c.want, err, stdout, stderr)
		}
	}
}

func TestCompilePrintsMessages(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "rules/r.yaml": router})
	code, text, stderr := aeraki("compile", "-f", "rules")
	var fromYAML, fromJSON compiled
	if err := yaml.Unmarshal([]byte(text), &fromYAML); err != nil || code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %v\n%s", code, err, stderr)
	}
	_, text, _ = aeraki("compile", "-f", "rules", "-o", "json")
	if err := json.Unmarshal([]byte(text), &fromJSON); err != nil {
		t.Fatal(err)
	}
	for _, got := range []compiled{fromYAML, fromJSON} {
		if len(got.Resources) != 3 || got.Resources[0].Type != xds.RouteType || got.Resources[0].Name != "hello.demo_9090" {
			t.Fatalf("got %+v", got)
		}
		if r := got.Resources[0].Resource.(map[string]any)["routes"].([]any)[0].(map[string]any); r["name"] != "all" {
			t.Errorf("the route is %v", r)
		}
	}
}

func TestCompileShowsWhatIsWrong(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "rules/r.yaml": strings.Replace(router, "route:", "rute:", 1), "proxy.yaml": `
node: {id: a, namespace: demo}
listeners: [{name: out, bind: "127.0.0.1:1", outbound: {host: gone.demo, port: 9090}}]`})
	code, stdout, stderr := aeraki("compile", "-f", "rules", "-o", "table")
	if code != exitFindings || !strings.Contains(stdout, "hello.demo_9090") || !strings.Contains(stderr, "rules/r.yaml:6: error: MetaRouter demo/hello: ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = aeraki("compile", "-f", "rules", "--node", "proxy.yaml", "-o", "json")
	if code != exitFindings || !strings.Contains(stderr, `error: Listener out: there is no managed service "gone.demo"`) || !strings.Contains(stdout, `"problems"`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestExplainTellsOfAFolderWithErrors(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "rules/r.yaml": strings.Replace(router, "destination: {host: hello.demo}", "destination: {host: gone.demo}", 1),
		"rules/b.yaml": "kind: MetaRouter\napiVersion: metaprotocol.aeraki.io/v1alpha1\nmetadata: {name: b}\nspec: {}\n"})
	code, stdout, stderr := aeraki("explain", "-f", "rules", "--host", "hello.demo", "-o", "yaml", "method=a=b")
	var a explain.Answer
	if err := yaml.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatal(err)
	}
	if a.Outcome == nil || a.Outcome.Route != "default" || len(a.Request) != 1 || a.Request[0].Value != "a=b" {
		t.Errorf("got %+v", a)
	}
	if len(a.Notes) != 1 || !strings.HasPrefix(a.Notes[0], `MetaRouter demo/hello is not in force as it is written: no managed service has host "gone.demo"`) {
		t.Errorf("notes are %q", a.Notes)
	}
	if code != exitFindings || !strings.Contains(stderr, "the folder has errors (1)") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestProxyStatusShowsRefusals(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service, "rules/r.yaml": router, "rules/t.yaml": strings.Replace(router, "name: hello", "name: other", 1)})
	var log buffer
	addr := serve(t, &log, "controller", "--config", "rules", "--listen", "127.0.0.1:0", "--status", "unix:s.sock")
	if code, stdout, _ := aeraki("proxy-status", "--status", "unix:s.sock"); code != exitOK || !strings.HasPrefix(stdout, "no proxy has connected; ") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	c := adstest.Dial(t, addr, "p-1", map[string]any{"namespace": "demo"})
	c.Refuse(xds.RouteType, "routes[0].filters: unknown field")
	c.Subscribe(xds.RouteType, "hello.demo_9090")
	waitFor(t, func() bool {
		code, _, _ := aeraki("proxy-status", "--status", "unix:s.sock")
		return code == exitFindings
	})
	_, stdout, _ := aeraki("proxy-status", "--status", "unix:s.sock")
	if want := "\nthe controller's folder:\nrules/t.yaml:5: warning: MetaRouter demo/other: spec.hosts[0]: "; !strings.Contains(stdout, want) {
		t.Errorf("nothing says %q:\n%s", want, stdout)
	}
	_, stdout, _ = aeraki("proxy-status", "--status", "unix:s.sock", "p-1")
	for _, want := range []string{"p-1     refuses   ", "p-1: RouteConfiguration hello.demo_9090: refuses version ", ": routes[0].filters: unknown field\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("nothing says %q:\n%s", want, stdout)
		}
	}
	if code, _, stderr := aeraki("proxy-status", "--status", addr.String()); code != exitFindings || !strings.Contains(stderr, "no controller answers at "+addr.String()) {
		t.Errorf("asked at the wrong port it says, with exit code %d, %s", code, stderr)
	}
}

func TestAControllerEndsWhenItIsTold(t *testing.T) {
	in(t, map[string]string{"rules/s.yaml": service})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log buffer
	if code := run(ctx, []string{"controller", "--config", "rules", "--listen", "127.0.0.1:0", "--status", ""}, &log, &log); code != exitOK {
		t.Errorf("exit code %d\n%s", code, log.String())
	}
}

func TestCompletionIsMade(t *testing.T) {
	aeraki := in(t, map[string]string{"rules/s.yaml": service})
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, stdout, stderr := aeraki("completion", shell); code != exitOK || !strings.Contains(stdout, "aeraki") || stderr != "" {
			t.Errorf("%s: exit code %d, %d bytes\n%s", shell, code, len(stdout), stderr)
		}
	}
	for line, want := range map[string]string{
		"explain -f rules --host ":            "hello.demo\n",
		"compile -o ":                         "json\nyaml\ntable\n",
		"analyze --fail-on ":                  "error\nwarning\n",
		"controller --log-level ":             "debug\ninfo\nwarn\nerror\n",
		"proxy-status --status unix:no.sock ": ":4\n",
	} {
		args := append([]string{"__complete"}, append(strings.Fields(line), "")...)
		if _, stdout, _ := aeraki(args...); !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: got\n%s", line, stdout)
		}
	}
}
