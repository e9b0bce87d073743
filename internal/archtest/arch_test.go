// Package archtest holds the rules of the layout: which package may import
// which, what the data plane must not link, and that every package says what
// belongs in it. It has no code of its own.
package archtest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aeraki-mesh/aeraki"

// rule says what the packages under a path may import of this module. The
// longest path that fits a package decides.
type rule struct {
	path string
	may  []string // paths; "" is nothing
	why  string
}

var rules = []rule{
	{"wire", nil, "wire is the bottom: bytes, no protocol"},
	{"codec", []string{"wire"}, "a codec knows bytes only"},
	{"codec/codectest", []string{"wire", "codec"}, "the kit tests codecs through their contract"},
	{"filter", []string{"wire", "codec"}, "a filter knows the contract and a codec's values only"},
	{"filter/filtertest", []string{"wire", "codec", "filter"}, "the kit tests filters through their contract"},
	{"protocols", []string{"wire", "codec", "protocols"}, "a protocol knows its contract only"},
	{"filters", []string{"wire", "codec", "filter", "filters"}, "a filter knows its contract only"},
	{"api", nil, "API types import nothing of ours"},
	{"internal/diag", nil, "diagnostics are the bottom of the control plane"},
	{"internal/engine", []string{"wire", "codec", "filter", "api/proxy", "internal/engine"},
		"the engine knows neither the control plane nor a driver nor Kubernetes"},
	{"internal/driver", []string{"internal/engine", "internal/driver"}, "drivers know the engine and nothing else"},
	{"internal/driver/sim", []string{"internal/engine", "internal/driver"}, "drivers know the engine and nothing else"},
	{"internal/cluster", []string{"internal/engine", "internal/cluster"}, "the cluster directory serves the engine"},
	{"internal/bootstrap", nil, "a configuration file is plain data"},
	{"internal/xdsclient", []string{"wire", "codec", "filter", "api/proxy", "internal/engine", "internal/cluster", "internal/bootstrap", "internal/xdsclient"},
		"the xDS client turns messages into the engine's configuration"},
	{"internal/admin", []string{"internal/engine", "internal/admin"}, "admin shows what it is given"},
	{"internal/explain", []string{"api", "codec", "filter", "internal/diag", "internal/control", "internal/engine/route", "internal/explain", "internal/lint/nearest"},
		"explain is the one place that joins compile and the engine's route table"},
	{"internal/lint", []string{"api", "internal/diag", "internal/control", "internal/lint"}, "lint looks at what compile made"},
	{"internal/control/ir", nil, "the intermediate representation is plain data"},
	{"internal/control/resource", []string{"api", "internal/diag", "internal/control/resource"}, "resource holds API types"},
	{"internal/control/source", []string{"api", "internal/diag", "internal/control/resource", "internal/control/source"}, "sources make snapshots"},
	{"internal/control/compile", []string{"api", "codec", "wire", "internal/diag", "internal/control/resource", "internal/control/ir", "internal/control/compile"}, "compile knows resources and ir"},
	{"internal/control/plan", []string{"internal/diag", "internal/control/ir", "internal/control/plan"}, "the plan knows ir"},
	{"internal/control/translate", []string{"api/proxy", "internal/diag", "internal/control/ir", "internal/control/plan", "internal/control/translate"},
		"translators know ir and output messages, never the resources' API"},
	{"internal/control/xdsserver", []string{"api/proxy", "internal/diag", "internal/control/xdsserver"}, "the server knows bytes, versions and streams, not ir"},
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Doc, Name              string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Deps                               []string
}

func list(t *testing.T, patterns ...string) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Doc,Name,Imports,GoFiles,TestGoFiles,XTestGoFiles,Deps"}, patterns...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func under(path, of string) bool { return path == of || strings.HasPrefix(path, of+"/") }

// ruleFor returns the rule with the longest path that fits.
func ruleFor(path string) (best rule, found bool) {
	for _, r := range rules {
		if under(path, r.path) && (!found || len(r.path) > len(best.path)) {
			best, found = r, true
		}
	}
	return best, found
}

// violation says how an import breaks a rule, or "".
func violation(from, to string) string {
	from, to = strings.TrimPrefix(from, module+"/"), strings.TrimPrefix(to, module+"/")
	r, found := ruleFor(from)
	if !found || from == to || slices.ContainsFunc(r.may, func(p string) bool { return under(to, p) }) {
		return ""
	}
	return from + " imports " + to + ": " + r.why
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range list(t, module+"/...") {
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			if v := violation(p.ImportPath, imp); v != "" {
				t.Error(v)
			}
		}
	}
}

func TestTheRulesCanFail(t *testing.T) {
	for _, c := range [][2]string{
		{"internal/engine", "internal/driver/loop"}, {"protocols/thrift", "internal/engine"},
		{"internal/control/translate/xds", "api/metaprotocol/v1alpha1"}, {"wire", "codec"},
	} {
		if violation(module+"/"+c[0], module+"/"+c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// The data plane must stay small: no Kubernetes, no control plane.
func TestTheProxyLinksNoKubernetes(t *testing.T) {
	for _, p := range list(t, module+"/cmd/aeraki-proxy") {
		for _, dep := range p.Deps {
			for _, bad := range []string{"k8s.io/", "sigs.k8s.io/controller-runtime", "istio.io/", module + "/internal/control", module + "/api/metaprotocol"} {
				if strings.HasPrefix(dep, bad) {
					t.Errorf("aeraki-proxy links %s", dep)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatBelongsInIt(t *testing.T) {
	for _, p := range list(t, module+"/...") {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		last := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "manager", "impl", "misc"}, last) {
			t.Errorf("%s: a package is named by what it holds", p.ImportPath)
		}
	}
}
