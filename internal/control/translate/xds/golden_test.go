package xds

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/internal/control/golden"
	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// input is a mesh and the proxies that ask for something.
type input struct {
	Mesh  *ir.Mesh `json:"mesh"`
	Nodes []Node   `json:"nodes"`
}

// output shows messages as JSON has them, without their versions: these are
// hashes of the bytes.
type output struct {
	Shared []shown      `json:"shared"`
	Nodes  []nodeOutput `json:"nodes,omitempty"`
}

type shown struct {
	Type    string          `json:"type"`
	Name    string          `json:"name"`
	Filters []string        `json:"filters,omitempty"`
	Message json.RawMessage `json:"message"`
}

type nodeOutput struct {
	Workload string            `json:"workload"`
	Own      []shown           `json:"own,omitempty"`
	Withheld map[string]string `json:"withheld,omitempty"`
	Problems []Problem         `json:"problems,omitempty"`
}

// TestGolden translates each testdata/NAME.in.yaml, and again, to the same
// bytes.
func TestGolden(t *testing.T) {
	golden.Inputs(t, func(t *testing.T, name string, in []byte) {
		var i input
		if err := yaml.UnmarshalStrict(in, &i); err != nil {
			t.Fatal(err)
		}
		shared, err := Shared(i.Mesh)
		if err != nil {
			t.Fatal(err)
		}
		out := output{Shared: show(t, shared)}
		for n := range i.Nodes {
			made := ForProxy(i.Mesh, &i.Nodes[n], shared)
			out.Nodes = append(out.Nodes, nodeOutput{Workload: i.Nodes[n].Workload, Own: show(t, made.Own), Withheld: made.Withheld, Problems: made.Problems})
		}
		golden.Check(t, name, out)

		for range 20 {
			again, err := Shared(i.Mesh)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(shared, again, func(a, b Resource) bool { return a.Version == b.Version && slices.Equal(a.Body, b.Body) }) {
				t.Fatal("the same mesh gives other bytes")
			}
		}
	})
}

func show(t *testing.T, in []Resource) []shown {
	t.Helper()
	var out []shown
	for _, r := range in {
		data, err := protojson.Marshal(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, shown{Type: r.Type, Name: r.Name, Filters: r.Filters, Message: data})
	}
	return out
}

func TestParseNode(t *testing.T) {
	if n, err := ParseNode(&corev3.Node{Id: "bare"}); err != nil || len(n.Listeners) != 0 {
		t.Errorf("a node without metadata: %+v, %v", n, err)
	}
	for want, metadata := range map[string]map[string]any{
		"listeners": {"listeners": []any{map[string]any{"name": "a", "unknown": true}}},
		"metadata":  {"protocols": "thrift"},
	} {
		md, err := structpb.NewStruct(metadata)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseNode(&corev3.Node{Id: "p", Metadata: md}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", metadata, err, want)
		}
	}
	md, err := structpb.NewStruct(map[string]any{"other": "people's", "namespace": "demo", "listeners": []any{
		map[string]any{"name": "a", "bind": "127.0.0.1:1", "outbound": map[string]any{"host": "h", "port": 9090}}}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := ParseNode(&corev3.Node{Id: "p", Metadata: md})
	if err != nil || n.Namespace != "demo" || len(n.Listeners) != 1 || n.Listeners[0].Outbound.Port != 9090 {
		t.Errorf("%+v, %v", n, err)
	}
}
