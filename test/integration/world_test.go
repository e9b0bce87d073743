package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// patience bounds a whole test, so that what hangs is told with its log.
const patience = 4 * time.Minute

// world is one test's mesh. Its methods end the test on errors.
type world struct {
	*harness.Mesh
	t          testing.TB
	ctx        context.Context
	controller *harness.Controller // nil before control
}

// newWorld makes a mesh without processes. At the test's end all processes
// must end in order.
func newWorld(t testing.TB) *world {
	t.Helper()
	m, err := harness.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m.Bin = filepath.Join(m.Root, ".cache", "integration")
	if err := os.MkdirAll(m.Bin, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
	return &world{Mesh: m, t: t, ctx: ctx}
}

// check ends the test on an error.
func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for f to return nil, at most as long as given.
func (w *world) until(within time.Duration, f func() error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, within)
	defer cancel()
	w.check(harness.Until(ctx, f))
}

func (w *world) binary(what string) string {
	w.t.Helper()
	path, err := built.path(w.ctx, w.Mesh, what)
	w.check(err)
	return path
}

// write writes a file of the configuration.
func (w *world) write(file string, yaml ...string) {
	w.t.Helper()
	w.check(w.Write(file, strings.Join(yaml, "---\n")))
}

// control starts the control plane.
func (w *world) control() *harness.Controller {
	w.t.Helper()
	c, err := w.Controller(w.ctx, w.binary(controllerFolder), "", "")
	w.check(err)
	w.controller = c
	return c
}

// server starts a peer's server.
func (w *world) server(peer, name string, args ...string) *harness.Server {
	w.t.Helper()
	s, err := w.Server(name, w.binary(peer), append([]string{"-name", name}, args...)...)
	w.check(err)
	return s
}

// proxy starts a proxy with these listeners; its other fields may be set by
// the functions.
func (w *world) proxy(name string, listeners []string, change ...func(*harness.ProxyConfig)) *proxy {
	w.t.Helper()
	c := harness.ProxyConfig{Name: name, Namespace: "test", ADS: w.controller.ADS, Listeners: listeners}
	for _, f := range change {
		f(&c)
	}
	p, err := w.Proxy(w.ctx, w.binary(stockProxy), c)
	w.check(err)
	return &proxy{Proxy: p, w: w}
}

// client runs a peer's client to its end.
func (w *world) client(peer, target string, args ...string) harness.Report {
	w.t.Helper()
	r, err := w.Client(w.ctx, "client", w.binary(peer), append([]string{"-target", target}, args...)...)
	w.check(err)
	return r
}

// good runs a client of n requests, all of which must succeed.
func (w *world) good(peer, target string, n int, args ...string) harness.Report {
	w.t.Helper()
	r := w.client(peer, target, append([]string{"-n", fmt.Sprint(n)}, args...)...)
	w.allGood(r, n)
	return r
}

// allGood checks that n requests were sent and every one has its reply.
func (w *world) allGood(r harness.Report, n int) {
	w.t.Helper()
	if r.Failed() != 0 || r.Wrong != 0 || n >= 0 && r.Sent != n || r.Sent == 0 {
		w.t.Fatalf("of %d requests %d were sent, %d failed, %d wrong: %v", n, r.Sent, r.Failed(), r.Wrong, r.Errors)
	}
}

// finish stops a server and returns its counts.
func (w *world) finish(s *harness.Server) harness.Counts {
	w.t.Helper()
	c, err := s.Finish()
	w.check(err)
	return c
}

// steady is a client that sends all the time.
type steady struct {
	*harness.Process
	w    *world
	seen int // the last interval that await looked at
}

// steady starts a client that sends until end.
func (w *world) steady(peer, target string, args ...string) *steady {
	w.t.Helper()
	p, err := w.Start("steady", w.binary(peer), append([]string{"client", "-target", target, "-n", "0", "-stats", "100ms"}, args...)...)
	w.check(err)
	return &steady{Process: p, w: w}
}

// warm waits until the client has replies.
func (s *steady) warm() *steady {
	s.w.t.Helper()
	s.w.until(20*time.Second, func() error {
		if !strings.Contains(s.Last(), `"by_version":{"`) {
			return fmt.Errorf("%s has no reply yet: %q\n%s", s.Name, s.Last(), s.Log(5))
		}
		return nil
	})
	return s
}

// report stops the client and returns what it counted.
func (s *steady) report() harness.Report {
	s.w.t.Helper()
	s.w.check(s.Signal(syscall.SIGTERM))
	r, err := s.Report(s.w.ctx)
	s.w.check(err)
	return r
}

// good stops the client, whose requests must all have succeeded.
func (s *steady) good() harness.Report {
	s.w.t.Helper()
	r := s.report()
	s.w.allGood(r, -1)
	return r
}

// proxy is a running proxy.
type proxy struct {
	*harness.Proxy
	w *world
}

// at returns the address of a listener.
func (p *proxy) at(listener string) string {
	p.w.t.Helper()
	a, err := p.Address(p.w.ctx, listener)
	if err != nil {
		p.w.t.Fatalf("%v\n%s", err, p.Log(20))
	}
	return a
}

// metric returns the sum of a metric's samples that have all of these texts.
func (p *proxy) metric(name string, having ...string) float64 {
	p.w.t.Helper()
	v, err := p.Metric(p.w.ctx, name, having...)
	p.w.check(err)
	return v
}

// event returns how often something happened besides requests.
func (p *proxy) event(name string) float64 {
	return p.metric("aeraki_events_total", fmt.Sprintf("event=%q", name))
}

// awaitRoutes waits until exactly the routes with these names are in force.
func (p *proxy) awaitRoutes(listener string, names ...string) {
	p.w.t.Helper()
	p.w.until(20*time.Second, func() error {
		c, err := p.Config(p.w.ctx)
		if err != nil {
			return err
		}
		var have []string
		for _, l := range c.Listeners {
			for _, r := range l.Routes {
				if l.Name == listener {
					have = append(have, r.Name)
				}
			}
		}
		if strings.Join(have, ",") != strings.Join(names, ",") {
			return fmt.Errorf("%s has the routes %q, not %q", listener, have, names)
		}
		return nil
	})
}

// alive checks that the proxy still runs and serves.
func (p *proxy) alive() {
	p.w.t.Helper()
	if _, err := harness.Get(p.w.ctx, "http://"+p.Admin+"/ready"); err != nil {
		p.w.t.Fatalf("the proxy is not ready: %v\n%s", err, p.Log(20))
	}
}
