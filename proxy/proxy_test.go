package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
	"github.com/aeraki-mesh/aeraki/protocols"
)

const routerYAML = `apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: hello, namespace: demo}
spec:
  hosts: [hello.demo.svc.cluster.local]
  routes:
  - name: greetings
    match: {attributes: {method: {exact: hi}}}
    route: [{destination: {host: hello.demo.svc.cluster.local}}]
  - name: rest
    route: [{destination: {host: hello.demo.svc.cluster.local}}]
`

func TestServesAndShowsWhatIsInForce(t *testing.T) {
	dir, ads := controlPlane(t)
	s := newBackend(t, "v1")
	p := run(t, configFile(t, ads, "127.0.0.1:0"))
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML(s.addr))
	addr := p.open("out") // for a service that came later
	c := dial(t, addr)
	if got, err := c.call(1, "hi"); err != nil || got != "v1" {
		t.Fatalf("%q, %v", got, err)
	}

	write(t, filepath.Join(dir, "router.yaml"), routerYAML)
	var view configJSON
	eventually(t, "the rules are in force", func() error {
		p.show("/config", &view)
		if l := view.Listeners[0]; len(l.InForce) < 2 || l.InForce[0].Name != "greetings" {
			return fmt.Errorf("%+v", l.InForce)
		}
		return nil
	})
	l := view.Listeners[0]
	if view.Version == "" || l.Protocol != "toy" || l.Host != "hello.demo.svc.cluster.local" || l.Address != addr ||
		l.InForce[0].Match[0] != `method exact "hi"` || l.InForce[0].Clusters[0].Name == "" {
		t.Errorf("/config: %+v", view)
	}
	if got, err := c.call(2, "hi"); err != nil || got != "v1" {
		t.Errorf("the connection did not outlive the change: %q, %v", got, err)
	}

	var e explainJSON
	p.show("/explain?listener=out&method=hi", &e)
	if e.Route == nil || e.Route.Name != "greetings" || len(e.Not) != 0 {
		t.Errorf("/explain of hi: %+v", e)
	}
	p.show("/explain?listener=out&method=bye", &e)
	if e.Route == nil || e.Route.Name != "rest" || len(e.Not) != 1 || !strings.Contains(e.Not[0].Why[0], `"bye"`) {
		t.Errorf("/explain of bye: %+v", e)
	}
	for _, bad := range []string{"listener=nobody&method=hi", "listener=out&colour=red", "listener=out&size=big"} {
		if status, body := p.page("/explain?" + bad); status != http.StatusBadRequest || body == "" {
			t.Errorf("/explain?%s: %d %s", bad, status, body)
		}
	}

	p.stop()
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}

func TestAnAddressThatIsTakenIsTriedAgain(t *testing.T) {
	dir, ads := controlPlane(t)
	s := newBackend(t, "v1")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML(s.addr))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := taken.Addr().String()
	p := run(t, configFile(t, ads, addr))
	eventually(t, "the proxy says what is wrong", func() error {
		status, body := p.page("/ready")
		if status != http.StatusServiceUnavailable || !strings.Contains(body, addr) {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if got := p.address("out"); got != "" {
		t.Errorf("/config shows the address %s, which is another's", got)
	}
	taken.Close()
	p.ready()
	if got, err := dial(t, addr).call(1, "hi"); err != nil || got != "v1" {
		t.Errorf("%q, %v", got, err)
	}
}

// A drain lets requests in flight finish, and takes no new connections.
func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	dir, ads := controlPlane(t)
	s := newBackend(t, "v1")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML(s.addr))
	p := run(t, configFile(t, ads, "127.0.0.1:0"))
	addr := p.open("out")
	busy, idle := dial(t, addr), dial(t, addr)
	if _, err := idle.call(1, "hi"); err != nil {
		t.Fatal(err)
	}
	if err := busy.ask(1, "wait"); err != nil {
		t.Fatal(err)
	}
	for <-s.asked != "wait" {
	}
	r, err := http.Post(p.admin+"/drain", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if _, err := idle.reply(); err == nil {
		t.Error("an idle client got something")
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a draining proxy takes connections")
	}
	if status, body := p.page("/ready"); status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
		t.Errorf("/ready: %d %s", status, body)
	}
	close(s.release)
	if m, err := busy.reply(); err != nil || string(m.Payload) != "v1" {
		t.Errorf("the request in flight: %+v, %v", m, err)
	}
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}

// TestMain runs the proxy itself where a test starts this program once more.
func TestMain(m *testing.M) {
	if os.Getenv("AERAKI_PROXY_TEST") != "" {
		Main("aeraki-proxy", []codec.Protocol{testProtocol()}, filters.Builtin())
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) (*exec.Cmd, *lines) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "AERAKI_PROXY_TEST=1")
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, log
}

func TestSIGTERMDrains(t *testing.T) {
	dir, ads := controlPlane(t)
	s := newBackend(t, "v1")
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML(s.addr))
	cmd, log := program(t, "--config", configFile(t, ads, "127.0.0.1:0"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &running{t: t, log: log, stop: func() {}, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	p.findAdmin()
	c := dial(t, p.open("out"))
	if err := c.ask(7, "wait"); err != nil {
		t.Fatal(err)
	}
	<-s.asked
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it drains", func() error {
		if !strings.Contains(log.String(), "msg=draining") {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	close(s.release)
	if m, err := c.reply(); err != nil || m.ID != 7 {
		t.Errorf("the request in flight: %+v, %v", m, err)
	}
	if err := p.wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, log)
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "proxy.yaml")
	write(t, bad, "node: {namespace: Not A Name}\nlistners: []\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "config"},
		{[]string{"--config", filepath.Join(t.TempDir(), "none.yaml")}, "none.yaml"},
		{[]string{"--config", bad}, "listners"},
		{[]string{"describe", "nothing"}, `no protocol "nothing"`},
	} {
		cmd, log := program(t, c.args...)
		if err := cmd.Run(); err == nil || !strings.Contains(log.String(), c.want) {
			t.Errorf("%v: %v\n%s", c.args, err, log)
		}
	}
}

// What describe prints is what the control plane reads, field by field.
func TestTheControlPlaneReadsWhatDescribePrints(t *testing.T) {
	for _, p := range append(protocols.Builtin(), testProtocol()) {
		name := p.Traits().Name
		dir := t.TempDir()
		cmd := Command("aeraki-proxy", []codec.Protocol{p}, nil)
		var out lines
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"describe", name})
		if err := cmd.ExecuteContext(context.Background()); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name+".yaml"), out.String())
		write(t, filepath.Join(dir, "service.yaml"), strings.ReplaceAll(serviceYAML("127.0.0.1:1"), "-toy", "-"+name))
		r, diagnostics, err := controller.CompileDir(dir, controller.CompileOptions{Options: compile.Options{}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range diagnostics {
			t.Errorf("%s: %v\n%s", name, d, out.String())
		}
		got := r.Protocol(name).Schema.Properties
		if fmt.Sprint(names(got)) != fmt.Sprint(names(p.Properties())) {
			t.Errorf("%s: the control plane knows %v, the protocol has %v", name, names(got), names(p.Properties()))
		}
	}
}

func names(ps []codec.Property) (all []string) {
	for _, p := range ps {
		all = append(all, fmt.Sprint(p.Name, p.Keyed, p.Fallback, p.Type))
	}
	return all
}

// What a client said without waiting for an answer, before it went, reaches
// its server though the proxy drains.
func TestDrainWritesOneWayMessages(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir, ads := controlPlane(t)
	write(t, filepath.Join(dir, "service.yaml"), serviceYAML(server.Addr().String()))
	p := run(t, configFile(t, ads, "127.0.0.1:0"))
	c := dial(t, p.open("out"))
	m := toy.Append(nil, codec.Oneway, 0, 1, 0, "tell", "", make([]byte, 900<<10))
	said, unsent := 0, 0
	for n := 1; unsent == 0; n++ { // until the sockets hold no more
		if _, err := c.Write(m); err != nil {
			t.Fatal(err)
		}
		said += len(m)
		eventually(t, "the message is counted", func() error {
			if _, body := p.page("/metrics"); !strings.Contains(body, fmt.Sprintf("response_code=\"200\",response_flags=\"-\",route=\"default\"} %d\n", n)) {
				return fmt.Errorf("not %d of them", n)
			}
			return nil
		})
		var v struct{ BufferedBytes int }
		p.show("/connections", &v)
		unsent = v.BufferedBytes
	}
	c.Close()
	s, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "the client has gone", func() error {
		var v struct{ ClientsByListener map[string]int }
		if p.show("/connections", &v); v.ClientsByListener["out"] > 0 {
			return fmt.Errorf("%v", v)
		}
		return nil
	})
	p.stop()
	eventually(t, "it drains", func() error {
		if !strings.Contains(p.log.String(), "msg=draining") {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	_ = s.SetDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, s); err != nil || n != int64(said) {
		t.Errorf("the server got %d of %d bytes, %v", n, said, err)
	}
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}
