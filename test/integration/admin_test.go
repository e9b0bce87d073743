package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// post sends an empty POST to the admin endpoint.
func post(p *proxy, path string) error {
	r, err := http.Post("http://"+p.Admin+path, "", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %s: %s", path, r.Status, b)
	}
	return err
}

// starting starts a proxy without waiting for it to be ready.
func (w *world) starting(listeners ...string) *proxy {
	w.t.Helper()
	ports, err := harness.FreePorts(1)
	w.check(err)
	admin := fmt.Sprint("127.0.0.1:", ports[0])
	config := fmt.Sprintf("node: {id: fresh, namespace: test, workload: fresh}\ncontrolPlane: {address: %q}\nadmin: {address: %q}\nworkers: 1\ndrainTimeout: 2s\nlisteners:\n- %s\n",
		w.controller.ADS, admin, strings.Join(listeners, "\n- "))
	w.check(w.Write("../fresh.proxy.yaml", config))
	p, err := w.Start("fresh", w.binary(stockProxy), "--config", w.Dir+"/fresh.proxy.yaml")
	w.check(err)
	return &proxy{Proxy: &harness.Proxy{Process: p, Admin: admin}, w: w}
}

// ready returns what /ready says: nil, or an error with its words.
func (p *proxy) ready() error {
	_, err := harness.Get(p.w.ctx, "http://"+p.Admin+"/ready")
	return err
}

// awaitReady waits for /ready to fail with this text, or with "" to succeed.
func (p *proxy) awaitReady(text string) {
	p.w.t.Helper()
	p.w.until(30*time.Second, func() error {
		err := p.ready()
		switch {
		case text == "":
			return err
		case err == nil:
			return errors.New("the proxy is ready")
		case !strings.Contains(err.Error(), text):
			return fmt.Errorf("no %q in %w", text, err)
		}
		return nil
	})
}

// TestFreshProxy starts a proxy before its control plane, with a port that is
// taken: /ready says what is missing, step by step, until nothing is.
func TestFreshProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(thriftGo, "v1")
	s := service{name: "hello", protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	ports, err := harness.FreePorts(2)
	w.check(err)
	w.controller = &harness.Controller{ADS: fmt.Sprint("127.0.0.1:", ports[0])}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	w.check(err)
	defer taken.Close()
	blocked := strings.Replace(strings.Replace(s.outbound(), "127.0.0.1:0", taken.Addr().String(), 1), "name: hello", "name: blocked", 1)

	p := w.starting(s.outbound(), blocked)
	p.awaitReady("no configuration from the control plane")
	_, err = w.Controller(w.ctx, w.binary(controllerFolder), w.controller.ADS, fmt.Sprint("127.0.0.1:", ports[1]))
	w.check(err)
	p.awaitReady("address already in use")
	w.good(thriftGo, p.at("hello"), 10) // the other listener serves meanwhile
	w.check(taken.Close())
	p.awaitReady("")
	w.good(thriftGo, p.at("blocked"), 10)
}

// TestNobodysProxy starts a proxy for a service that does not exist: what it
// waits for is told, and it serves as soon as the service is there.
func TestNobodysProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(thriftGo, "v1")
	s := service{name: "hello", protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
	other := service{name: "other", protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("other.yaml", other.yaml())
	w.control()
	p := w.starting(s.outbound())
	p.awaitReady("")
	if _, err := p.Address(w.ctx, "hello"); err == nil {
		t.Error("a listener without a service is open")
	}
	w.write("hello.yaml", s.yaml())
	w.until(20*time.Second, func() error {
		_, err := p.Address(w.ctx, "hello")
		return err
	})
	w.good(thriftGo, p.at("hello"), 10)
}

// TestAdmin reads the admin endpoint of a proxy with traffic: metrics in
// Istio's names whose number does not follow what requests say, connections,
// clusters, the log level.
func TestAdmin(t *testing.T) {
	t.Parallel()
	s := newStand(t, "dubbo", dubboGo)
	s.rules(s.service.route("echo", "method: {exact: echo}", "v2"))
	s.goes("v1", 200, "-concurrency", "4")
	s.good(s.peer, s.at("hello"), 10, "-method", "echo")
	s.good(s.peer, s.at("hello"), 10, "-method", "fail")
	for _, c := range []struct {
		n      float64
		metric string
		having []string
	}{
		{200, "istio_requests_total", []string{`destination_version="v1"`, `response_code="200"`, `reporter="source"`, `request_protocol="dubbo"`,
			`destination_service="hello.test"`, `destination_service_name="hello"`, `source_workload="clients"`, `source_app="shop"`, `response_flags="-"`}},
		{10, "istio_requests_total", []string{`destination_version="v2"`, `response_code="200"`}},
		{10, "istio_requests_total", []string{`response_code="500"`}},
		{220, "istio_request_duration_milliseconds_count", nil},
		{220, "istio_request_bytes_count", nil},
		{220, "istio_response_bytes_count", nil},
		{10, "aeraki_route_requests_total", []string{`route="echo"`, `listener="hello"`}},
	} {
		if got := s.metric(c.metric, c.having...); got != c.n {
			t.Errorf("%s%v is %v, not %v", c.metric, c.having, got, c.n)
		}
	}
	series := func() int {
		b, err := harness.Get(s.ctx, "http://"+s.Admin+"/metrics")
		s.check(err)
		return strings.Count(string(b), "\nistio_") + strings.Count(string(b), "\naeraki_")
	}
	before := series()
	for _, user := range []string{"a", "b", "c"} {
		s.good(s.peer, s.at("hello"), 50, "-method", "sayHello,echo,later,greet", "-attachment", "user="+user, "-name", user)
	}
	if after := series(); after > before {
		t.Errorf("requests that say other things made %d series of %d", after, before)
	}

	load := s.steady(s.peer, s.at("hello"), "-rate", "50").warm()
	var connections struct {
		Workers int
		Clients map[string]int `json:"clientsByListener"`
	}
	b, err := harness.Get(s.ctx, "http://"+s.Admin+"/connections")
	s.check(err)
	s.check(json.Unmarshal(b, &connections))
	if connections.Workers != 1 || connections.Clients["hello"] != 1 {
		t.Errorf("connections: %s", b)
	}
	load.good()
	b, err = harness.Get(s.ctx, "http://"+s.Admin+"/clusters")
	s.check(err)
	if !strings.Contains(string(b), s.servers["v1"].Addr) {
		t.Errorf("clusters have no endpoint %s: %s", s.servers["v1"].Addr, b)
	}

	s.check(post(s.proxy, "/log?level=debug"))
	b, err = harness.Get(s.ctx, "http://"+s.Admin+"/log")
	s.check(err)
	if !strings.Contains(strings.ToLower(string(b)), "debug") {
		t.Errorf("log level: %s", b)
	}
	if err := post(s.proxy, "/log?level=loud"); err == nil {
		t.Error("there is a level loud")
	}
}
