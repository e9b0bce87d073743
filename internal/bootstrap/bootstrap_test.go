package bootstrap

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const whole = `
node: {id: client-1, namespace: demo, workload: client, labels: {app: client}}
controlPlane: {address: "unix:/run/aeraki.sock"}
admin: {address: "127.0.0.1:15001"}
workers: 2
drainTimeout: 5s
listeners:
- {name: thrift, bind: "127.0.0.1:9090", outbound: {host: hello.demo.svc.cluster.local, port: 9090}}
- {name: thrift-in, bind: "127.0.0.1:9091", inbound: {host: hello.demo.svc.cluster.local, port: 9090, endpoint: "127.0.0.1:7001"}}
- {name: gw, bind: "0.0.0.0:9092", gateway: {name: demo/edge, port: 9090}}
`

func TestParseReadsEveryField(t *testing.T) {
	got, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Node:         Node{ID: "client-1", Namespace: "demo", Workload: "client", Labels: map[string]string{"app": "client"}},
		ControlPlane: ControlPlane{Address: "unix:/run/aeraki.sock"},
		Admin:        Admin{Address: "127.0.0.1:15001"},
		Workers:      2,
		DrainTimeout: Duration(5 * time.Second),
		Listeners: []Listener{
			{Name: "thrift", Bind: "127.0.0.1:9090", Outbound: &Outbound{Host: "hello.demo.svc.cluster.local", Port: 9090}},
			{Name: "thrift-in", Bind: "127.0.0.1:9091", Inbound: &Inbound{Host: "hello.demo.svc.cluster.local", Port: 9090, Endpoint: "127.0.0.1:7001"}},
			{Name: "gw", Bind: "0.0.0.0:9092", Gateway: &Gateway{Name: "demo/edge", Port: 9090}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"gw"}, got.Gateways()); d != "" {
		t.Error(d)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	c, err := Parse([]byte(`
node: {namespace: demo}
controlPlane: {address: "127.0.0.1:15010"}
listeners: [{name: a, bind: "127.0.0.1:0", outbound: {host: h, port: 1}}]`))
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if !strings.HasPrefix(c.Node.ID, host+"-") {
		t.Errorf("id %q does not begin with the host's name", c.Node.ID)
	}
	if c.Workers != runtime.NumCPU() || time.Duration(c.DrainTimeout) != 30*time.Second || c.AdminAddress().Port() != 15000 {
		t.Errorf("defaults are %+v", c)
	}
}

func TestParseNamesEveryProblemAtOnce(t *testing.T) {
	_, err := Parse([]byte(`
node: {id: "", namespace: "No Name"}
controlPlane: {address: "10.0.0.1:15010"}
admin: {address: "0.0.0.0:15000"}
workers: 0
drainTimeout: -1s
surprise: true
listeners:
- {name: a, bind: nowhere}
- {name: a, bind: "127.0.0.1:1", outbound: {host: "", port: 0}, gateway: {name: edge, port: 70000}}
- {name: b, bind: "127.0.0.1:1", inbound: {host: h, port: 1, endpoint: "h:1"}}
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		`"surprise"`, "node.id:", "node.namespace:", "controlPlane.address: 10.0.0.1:15010 is not", "admin.address: 0.0.0.0:15000 is not on loopback",
		"workers: 0", "drainTimeout: -1s", "listeners[0].bind: \"nowhere\"", "listeners[0]: has 0 of", "listeners[1].name: \"a\"",
		"listeners[1].outbound.host:", "listeners[1].outbound.port: 0", "listeners[1].gateway.name: \"edge\"",
		"listeners[1].gateway.port: 70000", "listeners[1]: has 2 of", "listeners[2].bind: 127.0.0.1:1", "listeners[2].inbound.endpoint: \"h:1\"",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("no %s in:\n%v", field, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a duration without unit": strings.Replace(whole, "5s", "5", 1),
		"a field twice":           whole + "workers: 3\n",
		"an unknown field":        strings.Replace(whole, "gateway: {name", "gateway: {nom", 1),
		"a relative socket":       strings.Replace(whole, "unix:/run", "unix:run", 1),
		"no listeners":            whole[:strings.Index(whole, "listeners")],
		"another type":            strings.Replace(whole, "workers: 2", "workers: two", 1),
		"a name as address":       strings.Replace(whole, "unix:/run/aeraki.sock", "istiod:15010", 1),
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	if err := os.WriteFile(file, []byte("workers: 0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.HasPrefix(err.Error(), file+": ") {
		t.Errorf("got %v", err)
	}
}

func TestNodeAnnouncesWhatTheFileSays(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.XDSNode([]string{"dubbo", "thrift"}, []string{"mirror"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"namespace": "demo", "workload": "client", "labels": map[string]any{"app": "client"},
		"protocols": []any{"dubbo", "thrift"}, "filters": []any{"mirror"},
		"listeners": []any{
			map[string]any{"name": "thrift", "bind": "127.0.0.1:9090", "outbound": map[string]any{"host": "hello.demo.svc.cluster.local", "port": 9090.0}},
			map[string]any{"name": "thrift-in", "bind": "127.0.0.1:9091", "inbound": map[string]any{"host": "hello.demo.svc.cluster.local", "port": 9090.0, "endpoint": "127.0.0.1:7001"}},
			map[string]any{"name": "gw", "bind": "0.0.0.0:9092", "gateway": map[string]any{"name": "demo/edge", "port": 9090.0}},
		},
	}
	if d := cmp.Diff(want, n.Metadata.AsMap()); d != "" {
		t.Error(d)
	}
	if n.Id != "client-1" || n.Cluster != "client" {
		t.Errorf("node is %s of %s", n.Id, n.Cluster)
	}
}
