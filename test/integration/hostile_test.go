package integration

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// maxResident bounds the proxy's memory in these tests, in bytes. Without
// connections it has about 30 MB.
const maxResident = 200 << 20

// siege is a proxy under attack, with good servers, and good clients that must
// not notice.
type siege struct {
	*world
	*proxy
	load []*steady
}

// newSiege starts it, with more services.
func newSiege(t *testing.T, more ...service) *siege {
	w := newWorld(t)
	g := &siege{world: w}
	var listeners []string
	for _, p := range raws() {
		s := service{name: p.protocol, protocol: p.protocol, endpoints: []endpoint{{w.server(p.peer, "v1").Addr, ""}}}
		w.write(s.name+".yaml", s.yaml())
		listeners = append(listeners, s.outbound())
	}
	for _, s := range more {
		w.write(s.name+".yaml", s.yaml(), s.router(s.route("bounded", "", "", "timeout: 400ms")))
		listeners = append(listeners, s.outbound())
	}
	w.control()
	g.proxy = w.proxy("proxy", listeners)
	for _, p := range raws() {
		g.load = append(g.load, w.steady(p.peer, g.at(p.protocol), "-connections", "2", "-rate", "100").warm())
	}
	return g
}

// attack runs f, after which one of the events must have grown by n and stand
// in the log, and the proxy must be as before.
func (g *siege) attack(events string, n float64, f func()) {
	g.t.Helper()
	names := strings.Split(events, "|")
	sum := func() (v float64) {
		for _, e := range names {
			v += g.event(e)
		}
		return v
	}
	before := sum()
	f()
	g.world.until(20*time.Second, func() error {
		if grown := sum() - before; grown < n {
			return fmt.Errorf("%s has grown by %v, not %v", events, grown, n)
		}
		return nil
	})
	if log := g.Log(1 << 20); !containsAny(log, "msg=", names) {
		g.t.Errorf("no line of %s in the log:\n%s", events, g.Log(10))
	}
	g.unharmed()
}

func containsAny(text, prefix string, names []string) bool {
	for _, n := range names {
		if strings.Contains(text, prefix+n) {
			return true
		}
	}
	return false
}

// unharmed checks that the proxy serves and has not grown.
func (g *siege) unharmed() {
	g.t.Helper()
	g.alive()
	if n := g.event("panic"); n != 0 {
		g.t.Errorf("%v panics:\n%s", n, g.Log(40))
	}
	if rss := g.metric("process_resident_memory_bytes"); rss > maxResident {
		g.t.Errorf("the proxy has grown to %.0f MB", rss/(1<<20))
	}
}

// lifted ends the good clients, which must have noticed nothing.
func (g *siege) lifted() {
	g.t.Helper()
	for _, l := range g.load {
		total := 0
		for total < 50 {
			l.await("another interval", func(r harness.Report) bool { total += r.OK; return true })
		}
		l.good()
	}
}

// send opens a connection, writes these bytes, and reads until the proxy
// closes; then it must have closed without being asked.
func (g *siege) send(listener string, b []byte) {
	g.t.Helper()
	c, err := dial(g.at(listener))
	g.check(err)
	defer c.Close()
	c.Write(b) // an error means that the proxy has closed already
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		g.t.Errorf("%s: %v", listener, err)
	}
}

// TestHostileBytes sends what is no message, or a wrong one.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	g := newSiege(t)
	random := rand.NewChaCha8([32]byte{1})
	for _, p := range raws() {
		g.attack("foreign_protocol|bad_request_bytes", 100, func() {
			for range 100 {
				b := make([]byte, 2048)
				random.Read(b)
				g.send(p.protocol, b)
			}
		})
		g.attack("bad_request_bytes|foreign_protocol", 20, func() {
			for range 20 { // a good request, then none
				b := make([]byte, 256)
				random.Read(b)
				g.send(p.protocol, append(p.request(1), b...))
			}
		})
		g.attack("bad_request_bytes|foreign_protocol", 20, func() {
			for i := range 20 { // lengths over any limit, and negative ones
				b := p.request(1)
				at := 0
				if p.protocol == "dubbo" {
					at = 12
				}
				copy(b[at:], []byte{0x7f + byte(i%2), 0xff, 0xff, 0xff - byte(i)})
				g.send(p.protocol, b)
			}
		})
	}
	g.attack("foreign_protocol", 2, func() {
		for _, p := range raws() {
			g.send(p.protocol, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		}
	})
	g.lifted()
}

// TestHostileEnds opens connections and ends them in every wrong place.
func TestHostileEnds(t *testing.T) {
	t.Parallel()
	g := newSiege(t)
	for _, p := range raws() {
		whole := p.request(1)
		g.attack("truncated_message", float64(len(whole)-1), func() {
			for n := 1; n < len(whole); n++ { // truncated, and no more to come
				c, err := dial(g.at(p.protocol))
				g.check(err)
				_, err = c.Write(whole[:n])
				g.check(err)
				g.check(c.(*net.TCPConn).CloseWrite())
				if _, err := io.Copy(io.Discard, c); err != nil {
					g.t.Errorf("%s, %d bytes: %v", p.protocol, n, err)
				}
				c.Close()
			}
		})
	}
	g.openAndDrop(2000)
	g.halfOpen(300)
	g.lifted()
}

// openAndDrop opens so many connections to each listener and drops them, by a
// reset, in order, or within a request.
func (g *siege) openAndDrop(n int) {
	g.t.Helper()
	before := g.metric("aeraki_client_connections_total")
	for _, p := range raws() {
		address := g.at(p.protocol)
		for i := range n {
			c, err := dial(address)
			g.check(err)
			if i%3 > 0 {
				g.check(c.(*net.TCPConn).SetLinger(0))
			}
			if i%3 > 1 {
				_, err := c.Write(p.request(1))
				g.check(err)
			}
			c.Close()
		}
	}
	g.world.until(30*time.Second, func() error {
		if grown := g.metric("aeraki_client_connections_total") - before; grown < float64(2*n) {
			return fmt.Errorf("%v connections were accepted, not %d", grown, 2*n)
		}
		if open := g.metric("aeraki_client_connections"); open > 10 {
			return fmt.Errorf("%v connections are still open", open)
		}
		return nil
	})
	g.unharmed()
}

// halfOpen holds connections that say nothing, or only half of something, and
// checks that one which has said all it will still gets its reply.
func (g *siege) halfOpen(n int) {
	g.t.Helper()
	for _, p := range raws() {
		for i := range n {
			c, err := dial(g.at(p.protocol))
			g.check(err)
			defer c.Close()
			if i%2 == 1 {
				_, err := c.Write(p.request(1)[:7])
				g.check(err)
			}
		}
		c, err := dial(g.at(p.protocol))
		g.check(err)
		defer c.Close()
		_, err = c.Write(p.request(9))
		g.check(err)
		g.check(c.(*net.TCPConn).CloseWrite())
		if id, _, err := p.read(c); id != 9 || err != nil {
			g.t.Errorf("%s: a client that half-closes gets reply %d, %v", p.protocol, id, err)
		}
	}
	g.unharmed()
}

// TestHostileSlow sends one byte per second on a few connections: after a
// minute each is closed, and until then nobody notices.
func TestHostileSlow(t *testing.T) {
	t.Parallel()
	g := newSiege(t)
	g.attack("slow_message", 4, func() {
		done := make(chan error, 4)
		for i := range 4 {
			p := raws()[i%2]
			// A whole frame's head, so that the proxy waits for a long message.
			b := p.request(1)
			b[map[string]int{"thrift": 2, "dubbo": 14}[p.protocol]] = 0x40
			address := g.at(p.protocol)
			go func() { done <- drip(address, append(b, make([]byte, 200)...)) }()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	g.lifted()
}

// drip writes a byte per second until the proxy closes.
func drip(address string, b []byte) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		return err
	}
	closed := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c) // ends when the proxy closes
		close(closed)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return nil
		}
		select {
		case <-closed:
			return nil
		case <-tick.C:
		}
	}
	return errors.New("a client that sends a byte per second is not closed")
}
