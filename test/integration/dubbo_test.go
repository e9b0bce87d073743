package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// What every Dubbo peer has, and what only Java's have.
const (
	dubboMethods = "sayHello,greet,echo,slow,later,fail,crash,nothing,pojo,blob,notify,notified"
	javaMethods  = dubboMethods + ",listen,null"
)

// TestDubboGo runs dubbo-go against itself through two proxies: every method,
// typed, generic and one-way, up to 4 MiB, with several requests in flight on
// one connection.
func TestDubboGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.server(dubboGo, "v1")
	s := service{name: "hello", protocol: "dubbo", endpoints: []endpoint{{server.Addr, ""}}}
	w.write("hello.yaml", s.yaml())
	w.control()
	inner := w.proxy("server", []string{s.inbound(server.Addr)})
	s.endpoints[0].addr = inner.at("hello")
	w.write("hello.yaml", s.yaml())
	outer := w.proxy("client", []string{s.outbound()})

	sent := 0
	for _, c := range []struct {
		n    int
		args []string
	}{
		{240, []string{"-method", dubboMethods, "-concurrency", "8"}},
		// The library does not answer a generic blob, also without a proxy.
		{110, []string{"-method", strings.Replace(dubboMethods, ",blob", "", 1), "-generic"}},
		{24, []string{"-method", "sayHello,notify,echo", "-oneway"}},
		{8, []string{"-method", "echo,blob", "-payload", fmt.Sprint(1 << 20), "-concurrency", "2", "-timeout", "20s"}},
		{4, []string{"-method", "echo,blob", "-payload", fmt.Sprint(4 << 20), "-timeout", "20s"}},
	} {
		w.good(dubboGo, outer.at("hello"), c.n, c.args...)
		sent += c.n
	}
	// One-way requests have no reply that tells when they have arrived: those of
	// a later client follow them on the same upstream connection.
	w.good(dubboGo, outer.at("hello"), 10)
	if got := w.finish(server); got.Served != sent+10 {
		t.Errorf("the server counted %d requests, the clients sent %d: %v", got.Served, sent+10, got.ByMethod)
	}
	outer.spotless(t)
	inner.spotless(t)
}

// spotless checks that no request ended badly for the proxy's own reasons.
func (p *proxy) spotless(t *testing.T) {
	t.Helper()
	for _, flags := range []string{"NR", "NC", "UH", "UF", "UC", "UT", "UO", "DPE", "UPE"} {
		if n := p.metric("aeraki_route_requests_total", fmt.Sprintf("response_flags=%q", flags)); n != 0 {
			t.Errorf("%s: %v requests ended with %s", p.Name, n, flags)
		}
	}
	for _, e := range []string{"panic", "bad_request_bytes", "bad_reply_bytes", "foreign_protocol", "stray_reply", "push_dropped", "heartbeat_missed"} {
		if n := p.event(e); n != 0 {
			t.Errorf("%s: %v × %s\n%s", p.Name, n, e, p.Log(10))
		}
	}
}

// provider is a Dubbo server in a mesh that a test of Java's peers uses: its
// service has the name of the provider.
type provider struct {
	*harness.Server
	name, peer string
	listen     int // port of the proxy beside consumers
	registry   string
}

// providers starts a server of each kind, and the proxy through which
// consumers reach them: with the target that the provider's registry names, or
// directly.
func (w *world) providers(peers ...string) ([]*provider, *proxy) {
	w.t.Helper()
	ports, err := harness.FreePorts(len(peers))
	w.check(err)
	var all []*provider
	var listeners []string
	for i, peer := range peers {
		p := &provider{name: "dubbo-go", peer: peer, listen: ports[i]}
		var args []string
		if peer != dubboGo {
			p.name = "java-" + strings.ReplaceAll(peer, ".", "-")
			p.registry = w.t.TempDir()
			args = []string{"-registry", p.registry, "-register", fmt.Sprint("127.0.0.1:", p.listen)}
		}
		p.Server = w.server(peer, p.name, args...)
		s := service{name: p.name, protocol: "dubbo", endpoints: []endpoint{{p.Addr, ""}}}
		w.write(p.name+".yaml", s.yaml())
		listeners = append(listeners, strings.Replace(s.outbound(), "127.0.0.1:0", fmt.Sprint("127.0.0.1:", p.listen), 1))
		all = append(all, p)
	}
	w.control()
	return all, w.proxy("consumers", listeners)
}

// consumption is one run of a Dubbo client.
type consumption struct {
	consumer string
	provider string
	registry bool // the consumer finds the provider, and its serialization, in the registry
	n        int
	args     []string
}

func (c consumption) String() string {
	via := "direct"
	if c.registry {
		via = "registry"
	}
	return fmt.Sprintf("%s calls %s, %s, %s", c.consumer, c.provider, via, strings.Join(c.args, " "))
}

// consumptions are the pairs and ways that TestDubboJava goes through: every
// consumer at least once direct and once by registry, every provider called by
// its own version, by another one and by Go; the proxy's part of the rest of
// the cross product is the same. Only 3.2 negotiates fastjson2.
func consumptions() []consumption {
	all := []string{"-method", javaMethods}
	// Generic calls have no listeners, and null is not the name of a method.
	generic := []string{"-method", dubboMethods, "-generic"}
	// Without a proxy, too, 2.7's callbacks fail where 3.2 is found by registry.
	noCallbacks := []string{"-method", dubboMethods + ",null"}
	return []consumption{
		{java27, java27, false, 140, all},
		{java33, java27, false, 140, all},
		{java27, java33, false, 140, all},
		{java32, java33, false, 140, all},
		{java33, java33, true, 140, append([]string{"-concurrency", "4"}, all...)},
		{java32, java32, true, 140, append([]string{"-concurrency", "4"}, all...)},
		{java33, java32, true, 140, all},
		{java27, java32, true, 130, noCallbacks},
		{java32, java32, true, 120, generic},
		{java33, java32, true, 120, append([]string{"-async"}, generic...)},
		{java27, java33, false, 120, generic},
		{java33, java33, false, 120, append([]string{"-async", "-concurrency", "4"}, "-method", dubboMethods)},
		{java32, java33, false, 30, []string{"-method", "notify,sayHello", "-oneway", "-linger", "500ms"}},
		{java32, java32, true, 8, []string{"-method", "echo,blob", "-payload", fmt.Sprint(4 << 20), "-timeout", "30s"}},
		{java33, java33, false, 10, []string{"-method", "$echo", "-heartbeat", "1s"}},
		{java27, java33, false, 8, []string{"-method", "echo,blob", "-payload", fmt.Sprint(4 << 20), "-timeout", "30s"}},
		{dubboGo, java27, false, 120, []string{"-method", dubboMethods}},
		{dubboGo, java32, false, 120, []string{"-method", dubboMethods}},
		{dubboGo, java33, false, 120, []string{"-method", dubboMethods}},
		{java33, dubboGo, false, 120, []string{"-method", dubboMethods}},
		{java27, dubboGo, false, 120, []string{"-method", dubboMethods}},
	}
}

// TestDubboJava runs Apache Dubbo for Java as consumer and provider through
// the proxy; see consumptions for the selection.
func TestDubboJava(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	providers, proxy := w.providers(java27, java32, java33, dubboGo)
	sent := map[string]int{}
	for _, c := range consumptions() {
		for _, p := range providers {
			if p.peer == c.provider {
				w.consume(c, p, sent)
			}
		}
	}
	for _, p := range providers {
		if got := w.finish(p.Server); got.Served != sent[p.peer] {
			t.Errorf("%s counted %d requests, consumers sent %d: %v", p.name, got.Served, sent[p.peer], got.ByMethod)
		}
	}
	proxy.spotless(t)
}

func (w *world) consume(c consumption, p *provider, sent map[string]int) {
	w.t.Helper()
	target := []string{"-target", fmt.Sprint("127.0.0.1:", p.listen)}
	if c.registry {
		target = []string{"-registry", p.registry}
	}
	r, err := w.Client(w.ctx, "consumer", w.binary(c.consumer), append(append(target, "-n", fmt.Sprint(c.n)), c.args...)...)
	if err != nil {
		w.t.Errorf("%v: %v", c, err)
		return
	}
	if r.Failed() != 0 || r.Sent != c.n {
		w.t.Errorf("%v: of %d requests %d were sent, %d failed: %v, %d wrong", c, c.n, r.Sent, r.Failed(), r.Errors, r.Wrong)
	}
	if c.args[1] != "$echo" { // the library answers it
		sent[c.provider] += r.Sent
	}
}
