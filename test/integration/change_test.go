package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/explain"
	"github.com/aeraki-mesh/aeraki/protocols"
	"github.com/aeraki-mesh/aeraki/test/harness"
)

// Routes change so often, for so long.
const (
	changeEvery = 10 * time.Millisecond
	changeFor   = 10 * time.Second
)

// pair is a Thrift and a Dubbo service in two versions.
type pair struct {
	*world
	services []service
	peers    []string
}

func newPair(t *testing.T) *pair {
	p := &pair{world: newWorld(t)}
	for _, c := range []struct{ protocol, peer string }{{"thrift", thriftGo}, {"dubbo", dubboGo}} {
		v1, v2 := p.server(c.peer, "v1"), p.server(c.peer, "v2")
		p.services = append(p.services, service{name: "hello-" + c.protocol, protocol: c.protocol, endpoints: []endpoint{{v1.Addr, "v1"}, {v2.Addr, "v2"}}})
		p.peers = append(p.peers, c.peer)
	}
	return p
}

func (p *pair) outbound() (all []string) {
	for _, s := range p.services {
		all = append(all, s.outbound())
	}
	return all
}

// steady starts a client of each service.
func (p *pair) steady(to *proxy) (all []*steady) {
	p.t.Helper()
	for i, s := range p.services {
		all = append(all, p.world.steady(p.peers[i], to.at(s.name), "-connections", "4", "-rate", "400").warm())
	}
	return all
}

// form returns the i-th form of a service's rules: what they match, their
// weights, time-outs and number change.
func form(s service, i int) string {
	var routes []string
	for j := range i % 4 {
		routes = append(routes, s.route(fmt.Sprintf("extra-%d-%d", i, j), fmt.Sprintf("method: {exact: m%d}", j), "v2"))
	}
	share := i * 7 % 101
	last := s.routeTo(fmt.Sprint("form-", i), "", s.to("v1", share)+", "+s.to("v2", 100-share), fmt.Sprintf("timeout: %ds", 20+i%5))
	return s.router(append(routes, last)...)
}

// TestRoutesChangeInFolder edits the rules of two services every 10 ms under
// load: no request may fail. The control plane gathers edits, so fewer forms
// than edits reach the proxy.
func TestRoutesChangeInFolder(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, s := range p.services {
		p.write(s.name+".yaml", s.yaml())
	}
	p.control()
	through := p.proxy("clients", p.outbound())
	load := p.steady(through)
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	edits := 0
	for end := time.Now().Add(changeFor); time.Now().Before(end); edits++ {
		<-tick.C
		for _, s := range p.services {
			p.write("router-"+s.name+".yaml", form(s, edits))
		}
	}
	for _, s := range p.services {
		p.until(20*time.Second, func() error {
			r, err := through.Explain(p.ctx, s.name, nil)
			if err == nil && (r == nil || r.Name != fmt.Sprint("form-", edits-1)) {
				err = fmt.Errorf("the last of %d edits is not in force, but %+v", edits, r)
			}
			return err
		})
	}
	sent := 0
	for _, l := range load {
		sent += l.good().Sent
	}
	t.Logf("%d edits of 2 files, %d requests", edits, sent)
	through.spotless(t)
}

// TestRoutesChangeOnStream has the proxy change its routes every 10 ms, by a
// control plane that pushes each form: no request may fail.
func TestRoutesChangeOnStream(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	server := xdsserver.New(xdsserver.Types{Clusters: xds.ClusterType, Endpoints: xds.EndpointType, Routes: xds.RouteType, Listeners: xds.ListenerType}, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.check(err)
	serving, stop := context.WithCancel(p.ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(serving, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	p.controller = &harness.Controller{ADS: l.Addr().String()}
	const forms = 60
	views := p.views(forms)
	server.Publish(views[0])
	through := p.proxy("clients", p.outbound())
	load := p.steady(through)
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	pushes := 0
	for end := time.Now().Add(changeFor); time.Now().Before(end); pushes++ {
		<-tick.C
		server.Publish(views[pushes%forms])
	}
	for _, l := range load {
		l.good()
	}
	taken := strings.Count(through.Log(1<<20), `msg="configuration in force"`)
	if taken < pushes/2 {
		t.Errorf("of %d forms that were served the proxy took %d", pushes, taken)
	}
	t.Logf("the proxy took %d of %d forms in %v", taken, pushes, changeFor)
	through.spotless(t)
}

// views compiles so many forms of the rules.
func (p *pair) views(n int) (all []*xdsserver.View) {
	p.t.Helper()
	for i := range n {
		dir := p.t.TempDir()
		for _, s := range p.services {
			p.check(os.WriteFile(filepath.Join(dir, s.name+".yaml"), []byte(s.yaml()+"---\n"+form(s, i)), 0o644))
		}
		r, found, err := controller.CompileDir(dir, controller.CompileOptions{Options: compile.Options{Schemas: explain.Schemas(protocols.Builtin())}})
		p.check(err)
		if len(found) > 0 {
			p.t.Fatal(found)
		}
		all = append(all, view(r, i))
	}
	return all
}

// view is what is served of a compiled folder.
func view(r *controller.Result, version int) *xdsserver.View {
	add := func(to xdsserver.Resources, r *xds.Resource) {
		to.Add(r.Name, r.Version, &anypb.Any{TypeUrl: r.Type, Value: r.Body})
	}
	v := &xdsserver.View{Version: fmt.Sprint(version), Shared: xdsserver.Resources{}}
	for i := range r.Resources {
		add(v.Shared, &r.Resources[i])
	}
	v.For = func(n *corev3.Node) (xdsserver.ForProxy, error) {
		out := xdsserver.ForProxy{Own: xdsserver.Resources{}}
		node, err := xds.ParseNode(n)
		if err != nil {
			return out, err
		}
		made := xds.ForProxy(r.Mesh, node, r.Resources)
		for i := range made.Own {
			add(out.Own, &made.Own[i])
		}
		return out, nil
	}
	return v
}

// TestScale adds and removes endpoints under one Dubbo connection: it is
// balanced request by request, before and after.
func TestScale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var servers []*harness.Server
	for _, v := range []string{"v1", "v2", "v3"} {
		servers = append(servers, w.server(dubboGo, v))
	}
	three := service{name: "hello", protocol: "dubbo"}
	for i, s := range servers {
		three.endpoints = append(three.endpoints, endpoint{s.Addr, fmt.Sprint("v", i+1)})
	}
	one := three
	one.endpoints = three.endpoints[:1]
	w.write("hello.yaml", three.yaml())
	w.control()
	p := w.proxy("clients", []string{three.outbound()})
	fair := func(when string, r harness.Report) {
		t.Helper()
		for _, v := range []string{"v1", "v2", "v3"} {
			if share := 100 * float64(r.ByVersion[v]) / float64(r.OK); share < 28 || share > 38 {
				t.Errorf("%s: %s has %.1f %% of %d requests", when, v, share, r.OK)
			}
		}
	}
	fair("three from the start", w.good(dubboGo, p.at("hello"), 10_000, "-concurrency", "8"))

	load := w.steady(dubboGo, p.at("hello"), "-concurrency", "8").warm()
	for range 3 {
		w.write("hello.yaml", one.yaml())
		load.await("down to one", func(r harness.Report) bool { return r.OK > 0 && r.OK == r.ByVersion["v1"] })
		w.write("hello.yaml", three.yaml())
		load.await("up to three", func(r harness.Report) bool { return r.ByVersion["v3"] > 0 && r.ByVersion["v2"] > 0 })
	}
	load.await("an interval", func(harness.Report) bool { return true })
	after := harness.Report{ByVersion: map[string]int{}}
	for after.OK < 10_000 {
		load.await("another interval", func(r harness.Report) bool {
			after.OK += r.OK
			for v, n := range r.ByVersion {
				after.ByVersion[v] += n
			}
			return true
		})
	}
	fair("after scale-up", after)
	load.good()
	p.spotless(t)
}

// await waits for an interval, from now on, that is as wanted.
func (s *steady) await(what string, is func(harness.Report) bool) {
	s.w.t.Helper()
	for n, end := s.seen+1, time.Now().Add(30*time.Second); time.Now().Before(end); n++ {
		line, ok := s.Line(n)
		s.seen = n
		var r harness.Report
		if err := json.Unmarshal([]byte(line), &r); !ok || err != nil {
			s.w.t.Fatalf("%s said %q: %v", s.Name, line, err)
		}
		if is(r) {
			return
		}
	}
	s.w.t.Fatalf("waited in vain for %s: %s", what, s.Last())
}

// TestControlPlaneAway kills the control plane under load and starts it again:
// traffic goes on, and rules that were edited meanwhile come into force.
func TestControlPlaneAway(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, s := range p.services {
		p.write(s.name+".yaml", s.yaml(), form(s, 1))
	}
	c := p.control()
	through := p.proxy("clients", p.outbound())
	load := p.steady(through)
	c.Kill()
	for i, s := range p.services {
		p.good(p.peers[i], through.at(s.name), 200)
		p.write(s.name+".yaml", s.yaml(), form(s, 2))
	}
	through.alive()
	_, err := p.Controller(p.ctx, p.binary(controllerFolder), c.ADS, c.Status)
	p.check(err)
	for _, s := range p.services {
		through.awaitRoutes(s.name, "extra-2-0", "extra-2-1", "form-2")
	}
	for _, l := range load {
		l.good()
	}
	through.spotless(t)
}
