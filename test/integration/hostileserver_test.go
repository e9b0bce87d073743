package integration

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// liar is a server that misbehaves on every connection.
type liar struct {
	name   string
	serve  func(c net.Conn, p raw)
	good   bool              // clients get a good reply
	events map[string]string // that grow, by protocol; "" for both
}

// liars are the servers of TestHostileServers.
func liars() []liar {
	wait := func(c net.Conn) { io.Copy(io.Discard, c) } // until the proxy closes
	return []liar{
		{"nonsense", func(c net.Conn, p raw) {
			p.asked(c)
			c.Write(bytes.Repeat([]byte{0xc3, 0x5a, 0xff, 0x01}, 64))
			wait(c)
		}, false, map[string]string{"": "bad_reply_bytes"}},
		{"giant", func(c net.Conn, p raw) {
			id, _ := p.asked(c)
			b := p.reply(id)
			copy(b[map[string]int{"dubbo": 12}[p.protocol]:], []byte{0x7f, 0xff, 0xff, 0xff})
			c.Write(b)
			wait(c)
		}, false, map[string]string{"": "bad_reply_bytes"}},
		{"twice", func(c net.Conn, p raw) {
			for id, ok := p.asked(c); ok; id, ok = p.asked(c) {
				c.Write(append(p.reply(id), p.reply(id)...))
			}
		}, true, map[string]string{"thrift": "stray_reply", "dubbo": "stray_reply|late_reply"}},
		{"stranger", func(c net.Conn, p raw) {
			for id, ok := p.asked(c); ok; id, ok = p.asked(c) {
				c.Write(p.reply(id + 100))
			}
		}, false, map[string]string{"thrift": "bad_reply_bytes", "dubbo": "stray_reply|late_reply"}},
		{"late", func(c net.Conn, p raw) {
			for id, ok := p.asked(c); ok; id, ok = p.asked(c) {
				time.Sleep(700 * time.Millisecond) // over the route's time-out
				c.Write(p.reply(id))
			}
		}, false, map[string]string{"dubbo": "late_reply"}},
		{"never", func(c net.Conn, p raw) { wait(c) }, false, nil},
		{"closes", func(c net.Conn, p raw) {}, false, map[string]string{"": "upstream_reset"}},
		{"half", func(c net.Conn, p raw) {
			id, _ := p.asked(c)
			b := p.reply(id)
			c.Write(b[:len(b)-1])
		}, false, map[string]string{"": "upstream_reset"}},
		{"first", func(c net.Conn, p raw) {
			c.Write(p.reply(0x7ffffff1)) // no id that the proxy has given yet
			wait(c)
		}, false, map[string]string{"thrift": "bad_reply_bytes", "dubbo": "stray_reply|late_reply"}},
	}
}

// serveLies accepts until the listener is closed.
func (l liar) serveLies(p raw, on net.Listener) {
	for {
		c, err := on.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			l.serve(c, p)
		}()
	}
}

// TestHostileServers has servers answer nonsense, twice, late, never, or close:
// each client gets a reply of its own protocol with its own id, good or not,
// and nobody else notices.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	var services []service
	for _, p := range raws() {
		for _, l := range liars() {
			on, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { on.Close() })
			go l.serveLies(p, on)
			services = append(services, service{name: p.protocol + "-" + l.name, protocol: p.protocol, endpoints: []endpoint{{on.Addr().String(), ""}}})
		}
	}
	g := newSiege(t, services...)
	for _, p := range raws() {
		for _, l := range liars() {
			name := p.protocol + "-" + l.name
			ask := func() {
				for range 3 {
					g.ask(name, p, l)
				}
			}
			event := l.events[""] + l.events[p.protocol]
			if event == "" {
				ask()
				if n := g.metric("aeraki_route_requests_total", fmt.Sprintf("listener=%q", name), `response_flags="UT"`); n != 3 {
					t.Errorf("%s: %v requests have timed out, not 3", name, n)
				}
				g.unharmed()
				continue
			}
			g.attack(event, 1, ask)
		}
	}
	g.lifted()
}

// ask sends one request to a liar and checks the reply.
func (g *siege) ask(listener string, p raw, l liar) {
	g.t.Helper()
	c, err := dial(g.at(listener))
	g.check(err)
	defer c.Close()
	g.check(c.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = c.Write(p.request(7))
	g.check(err)
	id, good, err := p.read(c)
	if err != nil || id != 7 || good != l.good {
		g.t.Errorf("%s: the client gets reply %d, good %v, %v", listener, id, good, err)
	}
}

// TestHostileNobody has an endpoint where nobody listens.
func TestHostileNobody(t *testing.T) {
	t.Parallel()
	ports, err := harness.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	var services []service
	for _, p := range raws() {
		services = append(services, service{name: p.protocol + "-nobody", protocol: p.protocol, endpoints: []endpoint{{fmt.Sprint("127.0.0.1:", ports[0]), ""}}})
	}
	g := newSiege(t, services...)
	for _, p := range raws() {
		g.attack("upstream_connect_failed", 3, func() {
			for range 3 {
				g.ask(p.protocol+"-nobody", p, liar{})
			}
		})
	}
	g.lifted()
}
