package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// stand is a service in versions v1 and v2 behind one proxy beside clients.
type stand struct {
	*world
	service
	*proxy
	servers map[string]*harness.Server
	peer    string // of clients
	flags   []string
	edits   int
}

// newStand starts it without a router. Flags are those of servers and clients.
func newStand(t *testing.T, protocol, peer string, flags ...string) *stand {
	w := newWorld(t)
	s := &stand{world: w, peer: peer, flags: flags, servers: map[string]*harness.Server{}, service: service{name: "hello", protocol: protocol}}
	for _, v := range []string{"v1", "v2"} {
		s.servers[v] = w.server(peer, v, flags...)
		s.endpoints = append(s.endpoints, endpoint{s.servers[v].Addr, v})
	}
	w.write("hello.yaml", s.yaml())
	w.control()
	s.proxy = w.proxy("clients", []string{s.outbound()}, func(c *harness.ProxyConfig) { c.Labels = map[string]string{"app": "shop"} })
	return s
}

// rules puts routes into force, and after them one that sends the rest to v1;
// its name is new, so it tells when.
func (s *stand) rules(routes ...string) {
	s.t.Helper()
	s.edits++
	last := fmt.Sprint("rest", s.edits)
	s.write("router.yaml", s.router(append(routes, s.service.route(last, "", "v1"))...))
	s.world.until(20*time.Second, func() error {
		c, err := s.proxy.Config(s.ctx)
		if err != nil {
			return err
		}
		if have := c.Listeners[0].Routes; have[len(have)-1].Name != last {
			return fmt.Errorf("routes in force: %+v", have)
		}
		return nil
	})
}

// goes sends n requests, which must all reach that version.
func (s *stand) goes(version string, n int, args ...string) {
	s.t.Helper()
	r := s.good(s.peer, s.at("hello"), n, append(append([]string{}, s.flags...), args...)...)
	if r.ByVersion[version] != n {
		s.t.Errorf("%v: %d requests to %s by the rule, went to %v", args, n, version, r.ByVersion)
	}
}

// prints sends one request and returns what the client prints of the reply.
func (s *stand) prints(args ...string) string {
	s.t.Helper()
	args = append([]string{"client", "-target", s.at("hello"), "-print"}, append(args, s.flags...)...)
	p, err := s.Start("client", s.binary(s.peer), args...)
	s.check(err)
	_, err = p.Report(s.ctx)
	s.check(err)
	line, _ := p.Line(0)
	return line
}

// TestRoutingThrift checks every property of Thrift on real traffic: each rule
// sends what it matches to v2; all else goes to v1.
func TestRoutingThrift(t *testing.T) {
	t.Parallel()
	s := newStand(t, "thrift", thriftGo, "-transport", "header", "-multiplexed")
	// Without a router both versions get requests.
	r := s.good(s.peer, s.at("hello"), 200, append([]string{"-connections", "2"}, s.flags...)...)
	if r.ByVersion["v1"] < 20 || r.ByVersion["v2"] < 20 {
		t.Errorf("the default route sends %v", r.ByVersion)
	}
	for _, c := range []struct {
		match   string
		yes, no []string
	}{
		{"method: {exact: \"HelloService:sayHello\"}", []string{"-method", "sayHello"}, []string{"-method", "slow"}},
		{"function: {prefix: who}", []string{"-method", "whoami"}, []string{"-method", "sayHello"}},
		{"service: {exact: Calculator}", []string{"-method", "whoami"}, []string{"-method", "sayHello"}},
		{"\"header[user]\": {exact: jason}", []string{"-header", "user=jason"}, []string{"-header", "user=martha"}},
		{"\"header[user]\": {regex: \"j.*n\"}", []string{"-header", "user=jason"}, []string{"-header", "user=jas"}},
		{"\"header[user]\": {absent: true}", nil, []string{"-header", "user=jason"}},
		{"\"header[user]\": {exact: jason, invert: true}", []string{"-header", "user=martha"}, []string{"-header", "user=jason"}},
		{"function: {exact: sayHello}, \"header[user]\": {suffix: son}", []string{"-header", "user=jason"}, []string{"-header", "user=jason", "-method", "slow"}},
	} {
		s.rules(s.service.route("chosen", c.match, "v2"))
		s.goes("v2", 10, c.yes...)
		s.goes("v1", 10, c.no...)
	}
}

// TestRoutingThriftEdits checks mutation of THeader headers both ways, and
// that a reply which comes after the route's time-out is none.
func TestRoutingThriftEdits(t *testing.T) {
	t.Parallel()
	s := newStand(t, "thrift", thriftGo, "-transport", "header")
	s.rules(s.service.route("edited", `function: {exact: echo}`, "v2",
		`requestMutation: [{key: "header[added]", value: "by-aeraki"}, {key: "header[secret]", op: remove}]`,
		`responseMutation: [{key: "header[x-reply]", value: "edited"}]`))
	got := s.prints("-method", "echo", "-header", "user=jason", "-header", "secret=42")
	for _, want := range []string{"x-echo-added", "by-aeraki", "x-echo-user", "x-reply", "edited"} {
		if !strings.Contains(strings.ToLower(got), want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Contains(got, "42") {
		t.Errorf("the header that is removed reached the server: %q", got)
	}
	s.rules(s.service.route("quick", `function: {exact: slow}`, "v2", "timeout: 150ms"))
	r := s.client(s.peer, s.at("hello"), append([]string{"-n", "3", "-method", "slow", "-millis", "600"}, s.flags...)...)
	if n := r.Errors["application exception 6: the upstream did not reply in time"]; n != 3 {
		t.Errorf("after the time-out clients see %v", r.Errors)
	}
	s.goes("v2", 3, "-method", "slow", "-millis", "20")
	if n := s.metric("aeraki_route_requests_total", `response_flags="UT"`); n != 3 {
		t.Errorf("%v requests have timed out by the metrics, not 3", n)
	}
}

// TestRoutingWithoutCarrier edits requests of a transport that has no place
// for it: they pass as they are, counted.
func TestRoutingWithoutCarrier(t *testing.T) {
	t.Parallel()
	s := newStand(t, "thrift", thriftGo, "-transport", "framed")
	s.rules(s.service.route("edited", `function: {exact: sayHello}`, "v2", `requestMutation: [{key: "header[added]", value: x}]`))
	s.goes("v2", 20)
	if n := s.event("edit_refused"); n != 20 {
		t.Errorf("%v edits were refused, not 20", n)
	}
}

// TestRoutingDubbo checks every property of Dubbo, typed and generic.
func TestRoutingDubbo(t *testing.T) {
	t.Parallel()
	s := newStand(t, "dubbo", dubboGo, "-group", "blue", "-version", "1.2.3")
	for _, c := range []struct {
		match   string
		yes, no []string
	}{
		{"method: {exact: echo}", []string{"-method", "slow,later"}, nil}, // no such request: see below
		{"method: {exact: sayHello}", nil, []string{"-method", "later"}},
		{"method: {exact: sayHello}", []string{"-generic"}, []string{"-generic", "-method", "later"}},
		{"interface: {suffix: .HelloService}", nil, nil},
		{"group: {exact: blue}", nil, nil},
		{"version: {prefix: \"1.2\"}", nil, nil},
		{"\"attachment[user]\": {exact: jason}", []string{"-attachment", "user=jason"}, []string{"-attachment", "user=martha"}},
		{"user: {present: true}", []string{"-attachment", "user=jason"}, nil},
		{"\"argument[0]\": {prefix: jason}", []string{"-name", "jason"}, []string{"-name", "martha"}},
		{"\"argument[0]\": {prefix: jason}", []string{"-name", "jason", "-generic"}, []string{"-name", "martha", "-generic"}},
		{"\"argument[1]\": {range: {start: 5, end: 10}}", []string{"-method", "greet", "-number", "7"}, []string{"-method", "greet", "-number", "10"}},
		{"\"argument[1]\": {exact: \"7\"}", []string{"-method", "greet", "-number", "7", "-generic"}, []string{"-method", "greet", "-number", "8", "-generic"}},
	} {
		s.rules(s.service.route("chosen", c.match, "v2"))
		switch {
		case strings.Contains(c.match, "echo"):
			s.goes("v1", 10, c.yes...)
		default:
			s.goes("v2", 10, c.yes...)
		}
		if c.no != nil {
			s.goes("v1", 10, c.no...)
		}
	}
}

// TestRoutingFastjson2 checks rules on what Java negotiates through a
// registry: attachments and arguments stand in fastjson2 then.
func TestRoutingFastjson2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ports, err := harness.FreePorts(1)
	w.check(err)
	registry := t.TempDir()
	s := service{name: "hello", protocol: "dubbo"}
	for _, v := range []string{"v1", "v2"} {
		// Both register the proxy, so consumers see one provider.
		server := w.server(java32, v, "-registry", registry, "-register", fmt.Sprint("127.0.0.1:", ports[0]))
		s.endpoints = append(s.endpoints, endpoint{server.Addr, v})
	}
	w.write("hello.yaml", s.yaml(), s.router(
		s.route("argument", `method: {exact: sayHello}, "argument[0]": {prefix: jason}`, "v2"),
		s.route("number", `"argument[1]": {range: {start: 5, end: 10}}`, "v2"),
		s.route("attachment", `user: {exact: martha}`, "v2", `requestMutation: [{key: x-added, value: yes}]`),
		s.route("rest", "", "v1")))
	w.control()
	p := w.proxy("clients", []string{strings.Replace(s.outbound(), "127.0.0.1:0", fmt.Sprint("127.0.0.1:", ports[0]), 1)})
	for _, c := range []struct {
		want string
		args []string
	}{
		{"v2", []string{"-name", "jason"}},
		{"v2", []string{"-method", "greet", "-number", "7"}},
		{"v2", []string{"-attachment", "user=martha"}},
		{"v2", []string{"-name", "jason", "-generic"}},
		{"v1", []string{"-name", "other", "-attachment", "user=nobody"}},
	} {
		client, err := w.Start("client", w.binary(java32), append([]string{"client", "-registry", registry, "-n", "4", "-print"}, c.args...)...)
		w.check(err)
		r, err := client.Report(w.ctx)
		w.check(err)
		w.allGood(r, 4)
		line, _ := client.Line(0)
		if r.ByVersion[c.want] != 4 {
			t.Errorf("%v went to %v: %s", c.args, r.ByVersion, line)
		}
		if strings.Contains(fmt.Sprint(c.args), "martha") && !strings.Contains(line, "echo-x-added=yes") {
			t.Errorf("the attachment that is added did not reach the server: %s", line)
		}
	}
	p.spotless(t)
}

// TestRoutingDubboEdits checks mutation of attachments both ways, and what
// clients see of a route's time-out.
func TestRoutingDubboEdits(t *testing.T) {
	t.Parallel()
	s := newStand(t, "dubbo", dubboGo)
	s.rules(s.service.route("edited", `method: {exact: echo}`, "v2",
		`requestMutation: [{key: x-added, value: "by-aeraki"}, {key: "attachment[x-secret]", op: remove}, {key: x-user, value: other}]`,
		`responseMutation: [{key: "attachment[echo-x-reply]", value: "edited"}]`))
	got := s.prints("-method", "echo", "-attachment", "x-user=jason", "-attachment", "x-secret=42")
	for _, want := range []string{"echo-x-added=by-aeraki", "echo-x-user=other", "echo-x-reply=edited"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Contains(got, "42") {
		t.Errorf("the attachment that is removed reached the server: %q", got)
	}
	s.rules(s.service.route("quick", `method: {exact: slow}`, "v2", "timeout: 150ms"))
	for _, c := range []struct{ peer, says string }{{dubboGo, "did not reply in time"}, {java27, "timeout"}, {java33, "timeout"}} {
		r := s.client(c.peer, s.at("hello"), "-n", "3", "-method", "slow", "-number", "600")
		if r.Failed() != 3 || !strings.Contains(strings.ToLower(fmt.Sprint(r.Errors)), c.says) {
			t.Errorf("after the time-out %s says %v", c.peer, r.Errors)
		}
	}
}

// TestRoutingSource checks rules on who calls: the proxy's own workload.
func TestRoutingSource(t *testing.T) {
	t.Parallel()
	s := newStand(t, "thrift", thriftGo)
	match := func(source string) string {
		return "{name: chosen, match: {source: " + source + "}, route: [" + s.to("v2", 100) + "]}"
	}
	for source, version := range map[string]string{
		"{namespace: test}": "v2", "{labels: {app: shop}}": "v2", "{namespace: test, labels: {app: shop}}": "v2",
		"{namespace: other}": "v1", "{labels: {app: cart}}": "v1",
	} {
		s.rules(match(source))
		s.goes(version, 5)
	}
}
