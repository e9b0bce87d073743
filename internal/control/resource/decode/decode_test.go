package decode

import (
	"strconv"
	"strings"
	"testing"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

const header = "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {name: r}\n"

// TestDocuments checks how a stream falls apart: "name@line" for each object,
// "!reason@line" for what is wrong.
func TestDocuments(t *testing.T) {
	body := "spec: {hosts: [a.demo]}\n"
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"comments only", "# a\n---\n# b\n---\n", ""},
		{"one", header + body, "r@3"},
		{"after a marker", "---\n" + header + body, "r@4"},
		{"two", header + body + "---\n" + header + body, "r@3 r@8"},
		{"a marker with a comment", header + body + "--- # next\n" + header + body, "r@3 r@8"},
		{"a marker with content", "--- {apiVersion: metaprotocol.aeraki.io/v1alpha1, kind: MetaRouter, metadata: {name: r}, spec: {hosts: [a]}}\n", "r@1"},
		{"Windows line ends", strings.ReplaceAll(header+body+"---\n"+header+body, "\n", "\r\n"), "r@3 r@8"},
		{"no end of line", header + strings.TrimSpace(body), "r@3"},
		{"a bad one between", header + body + "---\na: [\n---\n" + header + body, "r@3 !BadYAML@6 r@10"},
		{"dashes within text", header + "spec:\n  hosts: [a.demo]\n  routes:\n  - name: |\n      x\n      ---\n      y\n    route: [{destination: {host: a}}]\n", "r@3"},
		{"a tab", header + "spec:\n\thosts: [a]\n", "!BadYAML@5"},
		{"not an object", "just text\n", "!WrongType@1 !NotAnObject@1"},
		{"an alias", header + "spec:\n  hosts: &h [a.demo]\n  gateways: *h\n", "r@3"},
		{"an alias of itself", header + "spec: &s\n  hosts: [a.demo]\n  routes: *s\n", "!WrongType@4"},
		{"status is not read", header + body + "status: {anything: [1, 2]}\n", "r@3"},
		{"what kubectl adds", "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata:\n  name: r\n  creationTimestamp: 2024-01-01T00:00:00Z\n  generation: 3\n  managedFields: [{manager: kubectl, fieldsV1: {f:spec: {}}}]\n" + body, "r@3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range File("f.yaml", []byte(c.in), 1) {
				if d.Item != nil {
					got = append(got, d.Key.Name+"@"+strconv.Itoa(d.Item.Line))
				}
				for _, x := range d.Diagnostics {
					got = append(got, "!"+x.Reason+"@"+strconv.Itoa(x.Line))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

// Nine lines must not become a billion nodes.
func TestAliasesDoNotUnfold(t *testing.T) {
	var b strings.Builder
	b.WriteString(header + "spec:\n  hosts: [a.demo]\n  x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n")
	for i := range 8 {
		last := "*x" + strconv.Itoa(i)
		b.WriteString("  x" + strconv.Itoa(i+1) + ": &x" + strconv.Itoa(i+1) + " [" + strings.Repeat(last+", ", 9) + last + "]\n")
	}
	b.WriteString("  exportTo: *x8\nstatus: {}\n")
	docs := File("f.yaml", []byte(b.String()), 1)
	if len(docs) != 1 || docs[0].Item != nil || len(docs[0].Diagnostics) > maxProblems {
		t.Errorf("%d documents, %d diagnostics", len(docs), len(docs[0].Diagnostics))
	}
	// Where anything may stand, the aliases are followed.
	bomb := strings.Replace(b.String(), "metadata: {name: r}\n", "", 1) + "metadata: {name: r, managedFields: [{fieldsV1: *x8}]}\n"
	docs = File("f.yaml", []byte(bomb), 1)
	if docs[0].Item != nil || !diag.HasReason(docs[0].Diagnostics, "TooLarge") {
		t.Errorf("told:\n%s", diag.Text(docs[0].Diagnostics))
	}
}

func TestDurationsAsIstioHasThem(t *testing.T) {
	in := "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\n" +
		"spec: {host: a, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1m30.5s}}}}\n"
	docs := File("f.yaml", []byte(in), 1)
	if len(docs[0].Diagnostics) != 0 {
		t.Fatal(diag.Text(docs[0].Diagnostics))
	}
}

func TestTypesArriveWhole(t *testing.T) {
	in := header + `spec:
  hosts: [a.demo]
  routes:
  - match: {attributes: {n: {range: {start: -9223372036854775808, end: 9223372036854775807}}, d: {exact: 2024-01-01}}}
    route: [{destination: {host: a.demo, port: {number: 4294967295}}, weight: 100}]
    timeout: 250ms
    mirror: {host: b}
    mirrorPercentage: {value: 1e-3}
`
	doc := File("f.yaml", []byte(in), 1)[0]
	if len(doc.Diagnostics) != 1 || doc.Diagnostics[0].Field != "spec.routes[0].route[0].destination.port.number" {
		t.Fatal(diag.Text(doc.Diagnostics))
	}
	docs := File("f.yaml", []byte(strings.Replace(in, "4294967295", "1", 1)), 1)
	spec := docs[0].Item.Spec.(*metarouterv1.MetaRouterSpec)
	r := spec.Routes[0]
	if m := r.Match.Attributes["n"].Range; m.Start != -1<<63 || m.End != 1<<63-1 {
		t.Errorf("range is %+v", m)
	}
	if *r.Match.Attributes["d"].Exact != "2024-01-01" || r.Timeout.Milliseconds() != 250 || r.MirrorPercentage.Value != 0.001 {
		t.Errorf("route is %+v", r)
	}
}

// FuzzFile: whatever is in a folder, reading it ends, and every place that is
// told lies within the file.
func FuzzFile(f *testing.F) {
	f.Add([]byte(header + "spec: {hosts: [a.demo]}\n"))
	f.Add([]byte(header + "spec: &s\n  routes: *s\n---\n{"))
	f.Add([]byte("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\nspec: {hosts: [a], ports: [{number: 1, name: tcp-x}], resolution: DNS, endpoints: [{address: a, ports: {x: 1}}]}\n"))
	f.Add([]byte("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 1s}}}}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := strings.Count(string(in), "\n") + 1
		for _, d := range File("f.yaml", in, 1) {
			if d.Item == nil && len(d.Diagnostics) == 0 {
				t.Errorf("%q is neither taken nor told of", d.Text)
			}
			for _, x := range d.Diagnostics {
				if x.Line < 1 || x.Line > lines {
					t.Errorf("told of line %d of %d: %s", x.Line, lines, x)
				}
			}
		}
	})
}
