package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver/adstest"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

const table = "hello.demo.svc.cluster.local_9090"

func get(t *testing.T, status net.Addr, path string, out any) {
	t.Helper()
	r, err := http.Get("http://" + status.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, r.Status)
	}
	if out == nil {
		return
	}
	if err := json.NewDecoder(r.Body).Decode(out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// waitGet asks until the answer is as it should be.
func waitGet[T any](t *testing.T, status net.Addr, path, what string, ok func(T) bool) T {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var out T
		get(t, status, path, &out)
		if ok(out) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not have %s: %+v", path, what, out)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func has(reason string) func([]diag.Diagnostic) bool {
	return func(ds []diag.Diagnostic) bool {
		return slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Reason == reason })
	}
}

// A bad edit, of each kind, changes no byte of what is served, before and after
// a restart with the bad file still there.
func TestABadEditChangesNothingAlsoAfterARestart(t *testing.T) {
	good := routerYAML("20", "80")
	for reason, bad := range map[string]string{
		"BadYAML":           good[:len(good)-8],
		"UnknownField":      strings.Replace(good, "weight: 80", "wieght: 80", 1),
		"WeightsDoNotAddUp": strings.Replace(good, "weight: 80", "weight: 81", 1),
		"UnknownAttribute":  strings.Replace(good, "method:", "methods[0]:", 1),
		"SubsetNotFound":    strings.Replace(good, "subset: v2", "subset: v3", 1),
		"NotSupportedYet":   good + "  localRateLimit: {tokenBucket: {maxTokens: 1, tokensPerFill: 1, fillInterval: 1s}}\n",
	} {
		if reason == "UnknownAttribute" {
			bad = strings.Replace(good, "{method:", `{"methods[0]":`, 1)
		}
		t.Run(reason, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "config")
			write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
			write(t, filepath.Join(dir, "router.yaml"), good)
			o := Options{Dir: dir, Status: "127.0.0.1:0"}
			_, status, stop := start(t, o)
			var before ResourcesStatus
			get(t, status, "/status/resources", &before)

			write(t, filepath.Join(dir, "router.yaml"), bad)
			found := waitGet(t, status, "/status/diagnostics", reason, has(reason))
			i := slices.IndexFunc(found, func(d diag.Diagnostic) bool { return d.Reason == reason })
			if d := found[i]; d.Line == 0 || d.File != filepath.Join(dir, "router.yaml") {
				t.Errorf("told without a place: %s", d)
			}
			var after, restarted ResourcesStatus
			get(t, status, "/status/resources", &after)
			if !slices.Equal(before.Served, after.Served) {
				t.Errorf("served before %v, after %v", before.Served, after.Served)
			}
			stop()
			_, status, _ = start(t, o)
			get(t, status, "/status/resources", &restarted)
			if !slices.Equal(before.Served, restarted.Served) {
				t.Errorf("served before %v, after the restart %v", before.Served, restarted.Served)
			}
			k := slices.IndexFunc(restarted.Objects, func(s compile.ObjectStatus) bool { return s.Object.Kind == "MetaRouter" })
			if s := restarted.Objects[k]; s.Accepted || s.InForce != compile.LastGood || reason != "BadYAML" && s.Reason != reason {
				t.Errorf("the router's status is %+v", s)
			}
		})
	}
}

func TestWithoutALastGoodFormTheServiceHasItsDefaultRoute(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	write(t, filepath.Join(dir, "router.yaml"), strings.Replace(routerYAML("20", "80"), "routes:", "rules:", 1))
	_, status, _ := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	var got ResourcesStatus
	get(t, status, "/status/resources", &got)
	alone, _, err := CompileDir(dir, CompileOptions{Options: compile.Options{Schemas: schemas()}})
	if err != nil {
		t.Fatal(err)
	}
	if rt := alone.Mesh.RouteTables[0]; rt.Router != "" || rt.Routes[0].Name != "default" {
		t.Errorf("the table is %+v", rt)
	}
	i := slices.IndexFunc(got.Objects, func(s compile.ObjectStatus) bool { return s.Object.Kind == "MetaRouter" })
	if i < 0 || got.Objects[i].InForce != compile.None || got.Objects[i].Reason != "UnknownField" {
		t.Errorf("objects are %+v", got.Objects)
	}
}

func TestARestartSendsNothingToWhoHasIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	write(t, filepath.Join(dir, "router.yaml"), routerYAML("20", "80"))
	ads, _, stop := start(t, Options{Dir: dir})
	c := adstest.Dial(t, ads, "p", metadata(outbound("hello.demo.svc.cluster.local", 9090)))
	c.Subscribe(xds.ListenerType)
	listener := c.WaitFor(xds.ListenerType, "out")
	c.Subscribe(xds.RouteType, table)
	routes := c.WaitFor(xds.RouteType, table)
	stop()
	_ = c.WaitError()

	ads, status, _ := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	again := adstest.Dial(t, ads, "p", metadata(outbound("hello.demo.svc.cluster.local", 9090)))
	again.Resume(xds.ListenerType, map[string]string{"out": listener})
	again.Resume(xds.RouteType, map[string]string{table: routes}, table)
	waitGet(t, status, "/status/proxies", "p in sync", func(ps []xdsserver.ProxyStatus) bool {
		return len(ps) == 1 && ps[0].Synced && len(ps[0].Types) == 2
	})
	if sent := again.Sent(); len(sent) != 0 {
		t.Errorf("sent %v to a proxy that had it all", sent)
	}
}

func TestStatusTellsOfProxies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	ads, status, _ := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	get(t, status, "/ready", nil)
	c := adstest.Dial(t, ads, "p", metadata(outbound("hello.demo.svc.cluster.local", 9090), map[string]any{
		"name": "bad", "bind": "127.0.0.1:1", "outbound": map[string]any{"host": "gone.demo", "port": 1}}))
	c.Refuse(xds.RouteType, "routes[0]: unknown field 99")
	c.Subscribe(xds.ListenerType)
	c.WaitFor(xds.ListenerType, "out")
	c.Subscribe(xds.RouteType, table)
	ps := waitGet(t, status, "/status/proxies", "the refusal", func(ps []xdsserver.ProxyStatus) bool {
		return len(ps) == 1 && len(ps[0].Types) == 2 && ps[0].Types[0].Resources[0].Refused != nil
	})
	if got := ps[0].Types[0].Resources[0].Refused.Error; got != "routes[0]: unknown field 99" {
		t.Errorf("refused with %q", got)
	}
	if len(ps[0].Problems) != 1 || ps[0].Problems[0].Name != "bad" {
		t.Errorf("problems are %+v", ps[0].Problems)
	}

	wrong := adstest.Dial(t, ads, "q", map[string]any{"listeners": []any{map[string]any{"name": "x", "bnid": "127.0.0.1:1"}}})
	wrong.Subscribe(xds.ListenerType)
	if err := wrong.WaitError(); !strings.Contains(err.Error(), "bnid") {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestAThousandServicesOneRouteChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	for i := range 1000 {
		host := fmt.Sprintf("s%d.demo", i)
		write(t, filepath.Join(dir, fmt.Sprintf("s%d.yaml", i)), strings.ReplaceAll(strings.ReplaceAll(serviceYAML, "hello.demo.svc.cluster.local", host), "name: hello", fmt.Sprintf("name: s%d", i))+
			"---\n"+strings.ReplaceAll(strings.ReplaceAll(routerYAML("20", "80"), "hello.demo.svc.cluster.local", host), "name: hello", fmt.Sprintf("name: s%d", i)))
	}
	began := time.Now()
	ads, status, _ := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	t.Logf("1,000 services, 3,000 objects: served after %v", time.Since(began))
	var before, after ResourcesStatus
	get(t, status, "/status/resources", &before)
	uses := adstest.Dial(t, ads, "uses", metadata(outbound("s7.demo", 9090)))
	other := adstest.Dial(t, ads, "other", metadata(outbound("s8.demo", 9090)))
	for c, name := range map[*adstest.Client]string{uses: "s7.demo_9090", other: "s8.demo_9090"} {
		c.Subscribe(xds.ListenerType)
		c.WaitFor(xds.ListenerType, "out")
		c.Subscribe(xds.RouteType, name)
		c.WaitFor(xds.RouteType, name)
	}
	version := uses.Version(xds.RouteType, "s7.demo_9090")
	text, err := os.ReadFile(filepath.Join(dir, "s7.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	edited := time.Now()
	write(t, filepath.Join(dir, "s7.yaml"), strings.NewReplacer("weight: 20", "weight: 80", "weight: 80", "weight: 20").Replace(string(text)))
	uses.WaitChange(xds.RouteType, "s7.demo_9090", version)
	t.Logf("the edit was served after %v", time.Since(edited))
	get(t, status, "/status/resources", &after)
	changed := 0
	for i := range after.Served {
		if after.Served[i] != before.Served[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d resources have changed, want 1", changed)
	}
	waitGet(t, status, "/status/proxies", "both in sync", func(ps []xdsserver.ProxyStatus) bool {
		return len(ps) == 2 && ps[0].Synced && ps[1].Synced
	})
	if got := other.Sent(); len(got) != 2 {
		t.Errorf("a proxy that does not use it was sent %v", got)
	}
}

// A proxy that connects before the folder can be read is told nothing, rather
// than that there is nothing.
func TestTheFolderMayComeLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	socket := shortSocket(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Dir: dir, ADS: "unix:" + socket, Compile: compile.Options{Schemas: schemas()}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the controller ended with %v", err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	c := adstest.Dial(t, &net.UnixAddr{Net: "unix", Name: socket}, "p", metadata(outbound("hello.demo.svc.cluster.local", 9090)))
	c.Subscribe(xds.RouteType, table)
	write(t, dir+".new/service.yaml", serviceYAML)
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	c.WaitFor(xds.RouteType, table)
	if sent := c.Sent(); !slices.Equal(sent, []string{"+" + table}) {
		t.Errorf("sent %v", sent)
	}
}

// shortSocket returns a path for a socket: those of test folders are too long.
func shortSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ads")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "ads.sock")
}

func TestRunNeedsAFolderAndALocalAddress(t *testing.T) {
	for want, o := range map[string]Options{
		"no folder":       {},
		"is not loopback": {Dir: t.TempDir(), ADS: "0.0.0.0:0"},
		"status":          {Dir: t.TempDir(), Status: "0.0.0.0:0"},
	} {
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestCompileDirWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	write(t, filepath.Join(dir, "router.yaml"), routerYAML("20", "81"))
	r, found, err := CompileDir(dir, CompileOptions{Options: compile.Options{Schemas: schemas()}})
	if err != nil {
		t.Fatal(err)
	}
	if !has("WeightsDoNotAddUp")(found) || !diag.HasErrors(found) || len(r.Resources) != 7 {
		t.Errorf("%d resources, told\n%s", len(r.Resources), diag.Text(found))
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the folder are %v (%v)", left, err)
	}
}

func TestASecondControllerOnTheSameStateSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	_, status, stop := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	if err := Run(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is used by another controller") {
		t.Errorf("the error is %v", err)
	}
	get(t, status, "/ready", nil)
	stop()
	start(t, Options{Dir: dir})
}

// The folder is gone when the controller comes back: what was accepted is
// served as before.
func TestARestartWithoutTheFolderServesTheLastGoodForms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML)
	write(t, filepath.Join(dir, "router.yaml"), routerYAML("20", "80"))
	_, status, stop := start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	var before, after ResourcesStatus
	get(t, status, "/status/resources", &before)
	stop()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a file where the folder should be")
	_, status, _ = start(t, Options{Dir: dir, Status: "127.0.0.1:0"})
	get(t, status, "/status/resources", &after)
	if len(before.Served) == 0 || !slices.Equal(before.Served, after.Served) {
		t.Errorf("served before %v, after %v", before.Served, after.Served)
	}
	waitGet(t, status, "/status/diagnostics", "FolderUnreadable", has("FolderUnreadable"))
}
