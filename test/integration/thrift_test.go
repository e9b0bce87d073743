package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// dialect is a way in which Thrift is spoken.
type dialect struct {
	transport, protocol string
	multiplexed         bool
}

func dialects() (all []dialect) {
	for _, transport := range []string{"framed", "unframed", "header"} {
		for _, protocol := range []string{"binary", "compact"} {
			all = append(all, dialect{transport, protocol, false}, dialect{transport, protocol, true})
		}
	}
	return all
}

func (d dialect) String() string {
	if d.multiplexed {
		return d.transport + "-" + d.protocol + "-multiplexed"
	}
	return d.transport + "-" + d.protocol
}

func (d dialect) flags(more ...string) []string {
	f := []string{"-transport", d.transport, "-protocol", d.protocol}
	if d.multiplexed {
		f = append(f, "-multiplexed")
	}
	return append(f, more...)
}

// helloMethods are all methods of HelloService whose calls are counted by the
// server, and missing, which it does not have.
const helloMethods = "sayHello,echo,blob,store,slow,fail,crash,clear,notify,notified,missing"

// TestThriftPeers runs every method of apache/thrift for Go and Python, each
// as client and server of each, in every transport and protocol, through a
// proxy beside the client and one beside the server. Every reply is checked by
// the client, and the servers must count what the clients sent.
func TestThriftPeers(t *testing.T) {
	for _, serving := range []string{thriftGo, thriftPy} {
		t.Run("server="+serving, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			outer, servers := w.thriftServers(serving)
			for i, d := range dialects() {
				sent := map[string]int{}
				for _, calling := range []string{thriftGo, thriftPy} {
					w.callAll(calling, outer.at(d.String()), d, sent)
				}
				got := w.finish(servers[i])
				for method, n := range sent {
					if got.ByMethod[method] != n {
						t.Errorf("%v: the server counted %d calls of %s, the clients sent %d", d, got.ByMethod[method], method, n)
					}
				}
			}
			for _, result := range []string{`response_flags="UF"`, `response_flags="UC"`, `response_flags="UT"`, `response_flags="UPE"`, `response_flags="DC"`} {
				if n := outer.metric("aeraki_route_requests_total", result); n != 0 {
					t.Errorf("%v requests ended with %s", n, result)
				}
			}
			if n := outer.event("panic") + outer.event("bad_reply_bytes") + outer.event("stray_reply") + outer.event("unread"); n != 0 {
				t.Errorf("%v events that should not be", n)
			}
		})
	}
}

// thriftServers starts a server of every dialect, with a service of its own
// that goes through a proxy beside the clients and one beside the servers.
func (w *world) thriftServers(peer string) (outer *proxy, servers []*harness.Server) {
	w.t.Helper()
	var services []service
	var inbound, outbound []string
	for _, d := range dialects() {
		server := w.server(peer, d.String(), d.flags()...)
		s := service{name: d.String(), protocol: "thrift", endpoints: []endpoint{{server.Addr, ""}}}
		servers, services = append(servers, server), append(services, s)
		inbound, outbound = append(inbound, s.inbound(server.Addr)), append(outbound, s.outbound())
		w.write(s.name+".yaml", s.yaml())
	}
	w.control()
	inner := w.proxy("servers", inbound)
	for _, s := range services {
		s.endpoints[0].addr = inner.at(s.name)
		w.write(s.name+".yaml", s.yaml())
	}
	return w.proxy("clients", outbound), servers
}

// callAll calls every method and adds to sent what the server must count.
func (w *world) callAll(peer, target string, d dialect, sent map[string]int) {
	w.t.Helper()
	methods := helloMethods
	if d.multiplexed {
		methods += ",add,whoami"
	}
	const rounds = 5
	call := func(n int, methods string, more ...string) {
		w.t.Helper()
		each := strings.Split(methods, ",")
		r := w.client(peer, target, d.flags(append([]string{"-n", fmt.Sprint(n * len(each)), "-method", methods, "-timeout", "20s"}, more...)...)...)
		if r.Failed() != 0 || r.Sent != n*len(each) {
			w.t.Errorf("%v, %s calling %s: of %d requests %d failed: %v, %d wrong", d, peer, methods, r.Sent, r.Failed(), r.Errors, r.Wrong)
		}
		for _, m := range each {
			if m != "missing" {
				sent[m] += n
			}
		}
	}
	call(rounds, methods)
	call(2, "echo,blob", "-payload", fmt.Sprint(1<<20))
	// Python's compact protocol takes seconds for such a string.
	if peer == thriftGo || d.protocol == "binary" {
		call(1, "echo,blob", "-payload", fmt.Sprint(4<<20))
	}
}
