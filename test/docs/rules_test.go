package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
)

const rulesPage = "../../docs/rules.md"

// fragmentOf is the rest of a folder around a block that shows routes only.
const fragmentOf = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: orders, namespace: demo}
spec:
  hosts: [orders.demo]
  ports: [{number: 20880, name: tcp-metaprotocol-dubbo}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, labels: {version: v1}}, {address: 10.0.0.2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: demo}
spec: {host: orders.demo, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: orders, namespace: demo}
spec:
  hosts: [orders.demo]
  routes:
`

// TestRulesYAMLIsValid: every YAML block is a file, "# FOLDER/NAME.yaml", or
// routes, "# in routes"; what a reader copies has no error and no warning.
func TestRulesYAMLIsValid(t *testing.T) {
	dir := t.TempDir()
	folders := rulesFolders(t, dir)
	if len(folders) < 8 {
		t.Errorf("only %d folders are found", len(folders))
	}
	for _, folder := range folders {
		if out, code := aeraki(t, dir, "analyze", "-f", folder, "--fail-on", "warning"); code != 0 {
			t.Errorf("%s: %s", folder, out)
		}
	}
}

// rulesFolders writes the blocks into dir and returns the folders.
func rulesFolders(t *testing.T, dir string) []string {
	t.Helper()
	var folders []string
	for i, m := range block.FindAllStringSubmatch(read(t, rulesPage), -1) {
		if m[1] != "yaml" {
			continue
		}
		name, content, _ := strings.Cut(m[2], "\n")
		name = strings.TrimPrefix(name, "# ")
		switch {
		case name == "in routes":
			name = filepath.Join("routes-"+strconv.Itoa(i), "rules.yaml")
			content = fragmentOf + regexp.MustCompile(`(?m)^`).ReplaceAllString(strings.TrimSuffix(content, "\n"), "  ") + "\n"
		case !strings.HasSuffix(name, ".yaml") || filepath.Dir(name) == ".":
			t.Errorf("a block begins with %q, not with # FOLDER/NAME.yaml or # in routes", name)
			continue
		default:
			content = m[2] // the lines that outputs name are those of the block
		}
		write(t, filepath.Join(dir, name), content)
		folders = append(folders, filepath.Dir(name))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// TestRulesCommandsPrintWhatThePageSays runs "$ aeraki …" where the page's
// files are.
func TestRulesCommandsPrintWhatThePageSays(t *testing.T) {
	dir := t.TempDir()
	rulesFolders(t, dir)
	text := read(t, rulesPage)
	ran := 0
	got := block.ReplaceAllStringFunc(text, func(b string) string {
		m := block.FindStringSubmatch(b)
		if m[1] != "console" {
			return b
		}
		out := "```console\n"
		for line := range strings.Lines(m[2]) {
			if command, found := strings.CutPrefix(line, "$ aeraki "); found {
				ran++
				printed, _ := aeraki(t, dir, strings.Fields(command)...)
				out += line + printed
			}
		}
		return out + "```"
	})
	if ran == 0 {
		t.Error("the page has no command")
	}
	compare(t, rulesPage, text, got)
}

// compare tells how the page differs from what is so, or rewrites it.
func compare(t *testing.T, page, says, is string) {
	t.Helper()
	if says == is {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s (-says +is); run with -update and read what changed:\n%s", filepath.Base(page), cmp.Diff(says, is))
}

// TestRulesHaveEveryField: each type of the API has a section with a table of
// its fields, no more and no less.
func TestRulesHaveEveryField(t *testing.T) {
	text := read(t, rulesPage)
	for _, v := range []any{
		metarouterv1.MetaRouterSpec{}, metarouterv1.MetaRoute{}, metarouterv1.MetaRouteMatch{}, metarouterv1.SourceMatch{},
		metarouterv1.StringMatch{}, metarouterv1.IntRange{}, metarouterv1.MetaRouteDestination{}, metarouterv1.Destination{},
		metarouterv1.PortSelector{}, metarouterv1.Percent{}, metarouterv1.KeyValue{}, metarouterv1.HashPolicy{},
		metarouterv1.ApplicationProtocolSpec{}, metarouterv1.Property{},
	} {
		typ := reflect.TypeOf(v)
		var fields []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
		}
		same(t, "### "+typ.Name(), firstColumn(section(t, text, "### "+typ.Name())), fields)
	}
}

// TestRulesHaveEveryReason: the table has the reasons that the code has.
func TestRulesHaveEveryReason(t *testing.T) {
	var reasons []string
	for _, folder := range []string{"internal/control/compile", "internal/control/resource/decode", "internal/control/source/file", "internal/lint", "api/metaprotocol/v1alpha1"} {
		reasons = append(reasons, words(t, filepath.Join("../..", folder))...)
	}
	same(t, "## Reasons", firstColumn(section(t, read(t, rulesPage), "## Reasons")), reasons)
}

// TestRulesHaveEveryLimit: the table has the limits that the control plane
// lists where it is asked for one that there is not.
func TestRulesHaveEveryLimit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), strings.Replace(fragmentOf, "name: orders,", "name: orders, annotations: {aeraki.io/limits: none=1},", 1)+"  []\n")
	out, _ := aeraki(t, dir, "analyze", "-f", ".")
	m := regexp.MustCompile(`\(the limits are (.*)\)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("it does not list the limits:\n%s", out)
	}
	same(t, "### Limits", firstColumn(section(t, read(t, rulesPage), "### Limits")), strings.Split(m[1], ", "))
}

// TestStatusPagesAreThere: every page of the table answers.
func TestStatusPagesAreThere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules", "a.yaml"), fragmentOf+"  - {name: all, route: [{destination: {host: orders.demo}}]}\n")
	c := start(t, "aeraki", "controller", "--config", filepath.Join(dir, "rules"), "--listen", "unix:"+filepath.Join(dir, "ads.sock"), "--status", "127.0.0.1:0")
	address := c.says(`msg=serving .*status=(\S+)`)[1]
	text := section(t, read(t, rulesPage), "## What became of an object")
	pages := firstColumn(text)
	if len(pages) < 4 {
		t.Errorf("only %v are found", pages)
	}
	if _, code := get(t, "GET", "http://"+address+"/status/nothing"); code != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", code)
	}
	for _, page := range pages {
		body, code := get(t, "GET", "http://"+address+page)
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", page, code, body)
		}
		if page == "/status/resources" && !strings.Contains(body, `"inForce": "current"`) {
			t.Errorf("%s does not say what is in force:\n%s", page, body)
		}
	}
}

// camel is what reasons look like; kinds are what else does in those packages.
var (
	camel = regexp.MustCompile(`^[A-Z][a-z]+([A-Z][a-zA-Z]+)*$`)
	kinds = []string{"MetaRouter", "ApplicationProtocol", "ServiceEntry", "WorkloadEntry", "DestinationRule",
		"EnvoyFilter", "Gateway", "ProxyConfig", "Sidecar", "VirtualService", "WorkloadGroup"}
)

// words returns the string literals of a package that look like reasons.
func words(t *testing.T, folder string) []string {
	t.Helper()
	var out []string
	for _, path := range glob(t, filepath.Join(folder, "*.go")) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if _, isImport := n.(*ast.ImportSpec); isImport {
				return false
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && camel.MatchString(s) && !slices.Contains(kinds, s) {
					out = append(out, s)
				}
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Errorf("%s has no reasons", folder)
	}
	return out
}

// same compares two lists as sets.
func same(t *testing.T, what string, page, code []string) {
	t.Helper()
	for _, list := range []*[]string{&page, &code} {
		*list = slices.Clone(*list)
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if diff := cmp.Diff(page, code); diff != "" {
		t.Errorf("%s (-page +code):\n%s", what, diff)
	}
}
