// Package dnstest is a name server for tests, on loopback, whose answers a test
// changes while it runs.
package dnstest

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server is a running name server; UDP and TCP share the port.
type Server struct {
	Addr netip.AddrPort

	mu      sync.Mutex
	records map[string][]dns.RR // by name
	broken  bool
	asked   []string
}

// Start serves until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{records: map[string][]dns.RR{}}
	tcp, udp := sockets(t)
	s.Addr = netip.MustParseAddrPort(udp.LocalAddr().String())
	for _, srv := range []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		started, ended := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			if err := srv.ActivateAndServe(); err != nil {
				t.Errorf("dnstest: %v", err)
			}
		}()
		<-started
		t.Cleanup(func() {
			if err := srv.Shutdown(); err != nil {
				t.Errorf("dnstest: %v", err)
			}
			<-ended
		})
	}
	return s
}

// sockets opens a TCP and a UDP socket on the same free port.
func sockets(t testing.TB) (net.Listener, net.PacketConn) {
	for range 50 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp
		}
		tcp.Close()
	}
	t.Fatal("dnstest: no port is free for both TCP and UDP")
	return nil, nil
}

// Set replaces what the server knows of a fully qualified name by records as
// zone files have them: "a.test. 30 IN A 127.0.0.1". None: the name is gone.
func (s *Server) Set(t testing.TB, name string, records ...string) {
	t.Helper()
	var all []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[name] = all; len(all) == 0 {
		delete(s.records, name)
	}
}

// Break makes the server answer SERVFAIL to everything, or no longer.
func (s *Server) Break(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = on
}

// Asked lists the questions so far, as "udp A a.test.".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := s.answer(w.RemoteAddr().Network(), q)
	if w.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	// A client that has gone is the test's business, not ours.
	_ = w.WriteMsg(m)
}

func (s *Server) answer(network string, q *dns.Msg) *dns.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	question := q.Question[0]
	s.asked = append(s.asked, network+" "+dns.TypeToString[question.Qtype]+" "+question.Name)
	m := new(dns.Msg).SetReply(q)
	name := strings.ToLower(question.Name)
	if s.broken {
		return m.SetRcode(q, dns.RcodeServerFailure)
	}
	if s.records[name] == nil {
		m.Rcode = dns.RcodeNameError
		soa, err := dns.NewRR("test. 60 IN SOA ns.test. admin.test. 1 60 60 60 7")
		if err == nil {
			m.Ns = append(m.Ns, soa)
		}
	}
	for range 8 {
		alias := ""
		for _, rr := range s.records[name] {
			if c, ok := rr.(*dns.CNAME); ok {
				alias = c.Target
			} else if rr.Header().Rrtype != question.Qtype {
				continue
			}
			m.Answer = append(m.Answer, rr)
		}
		if name = alias; name == "" {
			break
		}
	}
	return m
}
