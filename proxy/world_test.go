package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// patience is how long anything may take before a test fails.
const patience = 30 * time.Second

// testProtocol is what the tests' proxies speak: replies in order, no word for
// going away.
func testProtocol() codec.Protocol { return quiet{toy.New(codec.InOrder, codec.InOrder, false)} }

// quiet hides what the toy can do beyond what Thrift can.
type quiet struct{ p *toy.Protocol }

func (q quiet) Traits() codec.Traits                               { return q.p.Traits() }
func (q quiet) Properties() []codec.Property                       { return q.p.Properties() }
func (q quiet) Sniff(b []byte) codec.Verdict                       { return q.p.Sniff(b) }
func (q quiet) Decoder(s codec.Side, l codec.Limits) codec.Decoder { return q.p.Decoder(s, l) }
func (q quiet) CanPutID(m *codec.Message) bool                     { return q.p.CanPutID(m) }
func (q quiet) PutID(b []byte, m *codec.Message, id uint64)        { q.p.PutID(b, m, id) }
func (q quiet) Bits() int                                          { return q.p.Bits() }
func (q quiet) AppendReply(d []byte, o *codec.Origin, r codec.LocalReply) []byte {
	return q.p.AppendReply(d, o, r)
}

// eventually waits until f returns nil.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// backend is a server of the toy protocol. It answers what is called with its
// name as the payload; a call of "wait" only once release is closed.
type backend struct {
	addr    string
	release chan struct{}
	asked   chan string // methods, as they arrive
}

func newBackend(t *testing.T, name string) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &backend{addr: l.Addr().String(), release: make(chan struct{}), asked: make(chan string, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c, name)
		}
	}()
	return s
}

func (s *backend) serve(c net.Conn, name string) {
	defer c.Close()
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for {
			m, n, err := toy.Parse(in)
			if err != nil || n == 0 {
				break
			}
			in = in[n:]
			s.asked <- m.Method
			if m.Method == "wait" {
				<-s.release
			}
			if m.Kind == codec.Request {
				_, _ = c.Write(toy.Append(nil, codec.Reply, 0, m.ID, 0, m.Method, "", []byte(name)))
			}
		}
	}
}

// client is a connection to a proxy.
type client struct {
	net.Conn
	in []byte
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c}
}

func (c *client) ask(id uint32, method string) error {
	_, err := c.Write(toy.Append(nil, codec.Request, 0, id, 0, method, "", nil))
	return err
}

// reply returns the next one.
func (c *client) reply() (toy.Message, error) {
	buf := make([]byte, 4096)
	for {
		if m, n, err := toy.Parse(c.in); err != nil || n > 0 {
			c.in = c.in[n:]
			return m, err
		}
		n, err := c.Read(buf)
		if err != nil {
			return toy.Message{}, err
		}
		c.in = append(c.in, buf[:n]...)
	}
}

// call asks and returns the answer's payload.
func (c *client) call(id uint32, method string) (string, error) {
	if err := c.ask(id, method); err != nil {
		return "", err
	}
	m, err := c.reply()
	if err == nil && m.ID != id {
		err = fmt.Errorf("the reply to %d came for %d", m.ID, id)
	}
	return m.Tag + string(m.Payload), err
}

// serviceYAML is a service of the test's protocol at one endpoint.
func serviceYAML(endpoint string) string {
	host, port, _ := net.SplitHostPort(endpoint)
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo.svc.cluster.local]
  ports: [{number: 9090, name: tcp-metaprotocol-toy, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: %s, ports: {tcp-metaprotocol-toy: %s}}]
`, host, port)
}

// controlPlane runs a controller on a folder until the test ends and returns
// the folder and the address for proxies.
func controlPlane(t *testing.T) (dir, address string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "config")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	o := controller.Options{Dir: dir, Ready: func(ads, _ net.Addr) { ready <- ads.String() },
		Compile: compile.Options{Schemas: map[string]compile.ProtocolSchema{"toy": {Properties: testProtocol().Properties()}}}}
	go func() { ended <- controller.Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the control plane ended with %v", err)
		}
	})
	select {
	case address = <-ready:
	case <-time.After(patience):
		t.Fatal("the control plane is not ready")
	}
	return dir, address
}

// configFile writes a proxy's configuration and returns its path.
func configFile(t *testing.T, controlPlane, bind string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy.yaml")
	write(t, path, fmt.Sprintf(`node: {id: test, namespace: demo, workload: client}
controlPlane: {address: %q}
admin: {address: "127.0.0.1:0"}
workers: 2
drainTimeout: 20s
listeners:
- {name: out, bind: %q, outbound: {host: hello.demo.svc.cluster.local, port: 9090}}
`, controlPlane, bind))
	return path
}

// lines collects what a program logs.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a proxy.
type running struct {
	t     *testing.T
	log   *lines
	admin string
	stop  context.CancelFunc
	ended chan error
}

// run starts a proxy in this process.
func run(t *testing.T, config string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &running{t: t, log: &lines{}, stop: stop, ended: make(chan error, 1)}
	go func() {
		p.ended <- Run(ctx, Options{ConfigFile: config, Protocols: []codec.Protocol{testProtocol()}, Filters: filters.Builtin(), Log: p.log})
	}()
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(p.log)
		}
	})
	p.findAdmin()
	return p
}

var adminLine = regexp.MustCompile(`msg=started .*admin=(\S+)`)

func (p *running) findAdmin() {
	p.t.Helper()
	eventually(p.t, "the admin endpoint", func() error {
		if m := adminLine.FindStringSubmatch(p.log.String()); m != nil {
			p.admin = "http://" + m[1]
			return nil
		}
		return fmt.Errorf("no address in the log:\n%s", p.log)
	})
}

// wait returns what Run returned.
func (p *running) wait() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		p.t.Fatal("the proxy does not end")
		return nil
	}
}

// page gets a page of the admin endpoint.
func (p *running) page(path string) (status int, body string) {
	p.t.Helper()
	r, err := http.Get(p.admin + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// show decodes a page of JSON into v, strictly.
func (p *running) show(path string, v any) {
	p.t.Helper()
	status, body := p.page(path)
	if status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", path, status, body)
	}
	d := json.NewDecoder(strings.NewReader(body))
	if err := d.Decode(v); err != nil {
		p.t.Fatalf("%s: %v in %s", path, err, body)
	}
}

// ready waits until the proxy says so.
func (p *running) ready() {
	p.t.Helper()
	eventually(p.t, "the proxy is ready", func() error {
		if status, body := p.page("/ready"); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
}

// address returns where the listener is open; "" while it is not.
func (p *running) address(listener string) string {
	p.t.Helper()
	var c configJSON
	p.show("/config", &c)
	for _, l := range c.Listeners {
		if l.Name == listener {
			return l.Address
		}
	}
	return ""
}

// open waits until the listener is, and returns where.
func (p *running) open(listener string) (addr string) {
	p.t.Helper()
	eventually(p.t, "listener "+listener+" is open", func() error {
		if addr = p.address(listener); addr == "" {
			return errors.New("it is not")
		}
		return nil
	})
	p.ready()
	return addr
}
