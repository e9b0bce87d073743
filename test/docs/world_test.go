package docs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// world is the proxy of docs/proxy.md with its control plane, and two servers
// of the example hello.
type world struct {
	t       *testing.T
	admin   string // host:port of the admin endpoint
	address string // of the listener
	servers [2]string
	proxy   *program
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t}
	for i := range w.servers {
		w.servers[i] = serveThrift(t)
	}
	service := read(t, filepath.Join(examples, "hello", "service.yaml"))
	for i, shown := range []string{"7001", "7002"} {
		_, port, _ := net.SplitHostPort(w.servers[i])
		service = strings.ReplaceAll(service, shown, port)
	}
	write(t, filepath.Join(dir, "rules", "service.yaml"), service)
	write(t, filepath.Join(dir, "rules", "routes.yaml"), read(t, filepath.Join(examples, "hello", "routes.yaml")))
	config := strings.NewReplacer("127.0.0.1:15010", "unix:"+filepath.Join(dir, "ads.sock"),
		"127.0.0.1:15000", "127.0.0.1:0", "127.0.0.1:9090", "127.0.0.1:0").Replace(configuration(t, "proxy.yaml"))
	write(t, filepath.Join(dir, "proxy.yaml"), config)
	controller := start(t, "aeraki", "controller", "--config", filepath.Join(dir, "rules"), "--listen", "unix:"+filepath.Join(dir, "ads.sock"), "--status", "")
	controller.says(`msg=serving`)
	w.proxy = start(t, "aeraki-proxy", "--config", filepath.Join(dir, "proxy.yaml"))
	w.admin = w.proxy.says(`msg=started .*admin=(\S+)`)[1]
	w.address = w.proxy.says(`msg=listening listener=hello address=(\S+)`)[1]
	w.proxy.says(`msg="configuration in force"`)
	return w
}

// configuration is a YAML block of docs/proxy.md.
func configuration(t *testing.T, name string) string {
	t.Helper()
	for _, m := range block.FindAllStringSubmatch(read(t, proxyPage), -1) {
		if m[1] == "yaml" && strings.HasPrefix(m[2], "# "+name+"\n") {
			return m[2]
		}
	}
	t.Fatalf("docs/proxy.md has no %s", name)
	return ""
}

// program is a process that runs until the test ends.
type program struct {
	t   *testing.T
	cmd *exec.Cmd

	mu     sync.Mutex
	stderr bytes.Buffer  // guarded by mu
	more   chan struct{} // closed when stderr grows; guarded by mu
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), more: make(chan struct{})}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
		defer late.Stop()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, p.stderr.String())
		}
	})
	return p
}

// Write takes what the process says.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.stderr.Write(b)
}

// says waits until the process has said what fits and returns the groups.
func (p *program) says(pattern string) []string {
	p.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		p.mu.Lock()
		m, more, all := re.FindStringSubmatch(p.stderr.String()), p.more, p.stderr.String()
		p.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-more:
		case <-late:
			p.t.Fatalf("%s is not said:\n%s", pattern, all)
		}
	}
}

// get returns what a page shows and its status code.
func get(t *testing.T, method, url string) (body string, code int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.StatusCode
}

// page returns what a page of the admin endpoint shows.
func (w *world) page(method, path string) string {
	w.t.Helper()
	body, _ := get(w.t, method, "http://"+w.admin+path)
	return body
}

// call sends n calls of sayHello on one connection, which stays open until the
// test ends.
func (w *world) call(n int) {
	w.t.Helper()
	c, err := net.DialTimeout("tcp", w.address, patience)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	for i := range n {
		if _, err := c.Write(message(1, "sayHello", uint32(i))); err != nil {
			w.t.Fatal(err)
		}
		if kind, name, id, err := readMessage(c); err != nil || kind != 2 || name != "sayHello" || id != uint32(i) {
			w.t.Fatalf("call %d: kind %d of %q, id %d, %v", i, kind, name, id, err)
		}
	}
}

// serveThrift answers every framed call until the test ends.
func serveThrift(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				for {
					_, name, id, err := readMessage(c)
					if err != nil {
						return
					}
					if _, err := c.Write(message(2, name, id)); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String()
}

// message is a framed message of the strict binary protocol with an empty
// struct: kind 1 is a call, 2 a reply (thrift-binary-protocol.md).
func message(kind byte, name string, id uint32) []byte {
	b := []byte{0x80, 1, 0, kind}
	b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
	b = append(b, name...)
	b = append(binary.BigEndian.AppendUint32(b, id), 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func readMessage(r io.Reader) (kind byte, name string, id uint32, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return 0, "", 0, err
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:])&0xffff)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, "", 0, err
	}
	n := 8
	if len(b) > n {
		n += int(binary.BigEndian.Uint32(b[4:8]) & 0xffff)
	}
	if len(b) < n+5 {
		return 0, "", 0, fmt.Errorf("a message of %d bytes", len(b))
	}
	return b[3], string(b[8:n]), binary.BigEndian.Uint32(b[n:]), nil
}

// normal replaces what differs from run to run.
func (w *world) normal(out string) string {
	for real, shown := range map[string]string{w.address: "127.0.0.1:9090", w.servers[0]: "127.0.0.1:7001", w.servers[1]: "127.0.0.1:7002"} {
		out = strings.ReplaceAll(out, `"`+real+`"`, `"`+shown+`"`)
	}
	out = regexp.MustCompile(`("version": )"[0-9a-f]{16,}"`).ReplaceAllString(out, `$1"0123456789abcdef"`)
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`).ReplaceAllString(out, "2026-01-01T00:00:00Z")
}

// compact joins short arrays and objects of JSON on one line, for readers.
func compact(out string) string {
	var v any
	if json.Unmarshal([]byte(out), &v) != nil {
		return out
	}
	short := regexp.MustCompile(`([\[{])\n\s+([^\[\]{}]*?)\n\s*([\]}])`)
	for range 3 {
		out = short.ReplaceAllStringFunc(out, func(s string) string {
			one := regexp.MustCompile(`\s*\n\s*`).ReplaceAllString(s, " ")
			if len(one) > 150 {
				return s
			}
			m := []byte{one[0]}
			return string(m) + strings.TrimSpace(one[1:len(one)-1]) + one[len(one)-1:]
		})
	}
	return out
}
