package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

//go:embed config
var config embed.FS

func itoa(n int) string { return strconv.Itoa(n) }

// stage is everything that runs.
type stage struct {
	*harness.Mesh
	services []*service
	say      func(format string, a ...any)

	binaries   map[string]string // by folder
	ports      map[string]int    // of the servers' proxies, by "thrift-v1"
	controller *harness.Controller
	proxies    map[string]*harness.Proxy  // beside clients, by service
	servers    map[string]*harness.Server // by "thrift-v1"
}

// start builds and starts everything but the traffic.
func (s *stage) start(ctx context.Context, keep bool) error {
	began := time.Now()
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx, keep); err != nil {
		return err
	}
	s.say("starting the control plane, %d servers and %d proxies", 2*len(s.services), 3*len(s.services))
	controller, err := s.Controller(ctx, s.binaries["cmd/aeraki"], "", "")
	if err != nil {
		return err
	}
	s.controller = controller
	s.proxies, s.servers = map[string]*harness.Proxy{}, map[string]*harness.Server{}
	for _, svc := range s.services {
		if err := s.startService(ctx, svc); err != nil {
			return err
		}
	}
	s.say("up after %.1f s\n", time.Since(began).Seconds())
	return nil
}

// build builds every program. Go downloads the modules it misses by itself.
func (s *stage) build(ctx context.Context) error {
	s.binaries = map[string]string{}
	folders := []string{"cmd/aeraki"}
	for _, svc := range s.services {
		folders = append(folders, svc.proxy, svc.peer)
	}
	for _, f := range folders {
		if s.binaries[f] != "" {
			continue
		}
		s.say("building %s (the first time, Go downloads its modules)", f)
		build := s.Build
		if f == bookinfoProxy {
			build = s.buildTutorial
		}
		path, err := build(ctx, f)
		if err != nil {
			return err
		}
		s.binaries[f] = path
	}
	return nil
}

const module = "github.com/aeraki-mesh/aeraki"

// buildTutorial builds the proxy of a tutorial as its reader would: its files
// in a folder and a module of their own. The reader tidies; here nothing is
// downloaded that this module does not need already.
func (s *stage) buildTutorial(ctx context.Context, file string) (string, error) {
	dir, err := os.MkdirTemp("", "awesomerpc-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(s.Bin, "bookinfo-proxy")
	for _, c := range []struct {
		in   string
		args []string
	}{
		{s.Root, []string{"go", "run", "./tools/tutorial", "extract", file, dir}},
		{dir, []string{"go", "mod", "init", "example.com/awesomerpc"}},
		{dir, []string{"go", "mod", "edit", "-require", module + "@v0.0.0", "-replace", module + "=" + s.Root}},
		{dir, []string{"cp", filepath.Join(s.Root, "go.sum"), "."}},
		{dir, []string{"go", "build", "-mod=mod", "-trimpath", "-tags", "grpcnotrace", "-o", out, "./awesome-proxy"}},
	} {
		cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
		cmd.Dir = c.in
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if b, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, b)
		}
	}
	return out, nil
}

// prepare writes the folder's YAML, unless the last demo's is kept.
func (s *stage) prepare(ctx context.Context, keep bool) error {
	ports := filepath.Join(s.Dir, "ports.json")
	if keep {
		b, err := os.ReadFile(ports)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &s.ports)
	}
	free, err := harness.FreePorts(2 * len(s.services))
	if err != nil {
		return err
	}
	s.ports = map[string]int{}
	var replace []string
	for i, svc := range s.services {
		for j, v := range svc.versions {
			s.ports[svc.name+"-"+v] = free[2*i+j]
			replace = append(replace, "${"+svc.name+"-"+v+"}", itoa(free[2*i+j]))
		}
	}
	b, err := json.Marshal(s.ports)
	if err != nil {
		return err
	}
	if err := os.WriteFile(ports, b, 0o644); err != nil {
		return err
	}
	if err := s.writeConfig(strings.NewReplacer(replace...)); err != nil {
		return err
	}
	schema, err := exec.CommandContext(ctx, s.binaries[bookinfoProxy], "describe").Output()
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	return s.Write("awesomerpc.yaml", string(schema))
}

func (s *stage) writeConfig(r *strings.Replacer) error {
	files, err := fs.ReadDir(config, "config")
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := config.ReadFile("config/" + f.Name())
		if err != nil {
			return err
		}
		if err := s.Write(f.Name(), r.Replace(string(b))); err != nil {
			return err
		}
	}
	return nil
}

// startService starts a service's servers, a proxy beside each, and the one
// beside its clients.
func (s *stage) startService(ctx context.Context, svc *service) error {
	var backend []string
	if svc.backend != nil {
		b, err := s.Server(svc.name+"-backend", s.binaries[svc.peer], svc.backend...)
		if err != nil {
			return err
		}
		backend = []string{svc.calls, b.Addr}
	}
	for _, v := range svc.versions {
		name := svc.name + "-" + v
		args := append([]string{"-name", v}, svc.server...)
		if v == "v2" {
			args = append(args, backend...)
		}
		server, err := s.Server(name, s.binaries[svc.peer], args...)
		if err != nil {
			return err
		}
		s.servers[name] = server
		inbound := fmt.Sprintf(`{name: %s, bind: "127.0.0.1:%d", inbound: {host: %s, port: %d, endpoint: %q}}`, svc.name, s.ports[name], svc.host, svc.port, server.Addr)
		if _, err := s.proxy(ctx, svc, name+"-proxy", map[string]string{"app": svc.name, "version": v}, inbound); err != nil {
			return err
		}
	}
	outbound := fmt.Sprintf(`{name: %s, bind: "127.0.0.1:0", outbound: {host: %s, port: %d}}`, svc.name, svc.host, svc.port)
	p, err := s.proxy(ctx, svc, svc.name+"-client-proxy", map[string]string{"app": svc.name + "-client"}, outbound)
	s.proxies[svc.name] = p
	return err
}

func (s *stage) proxy(ctx context.Context, svc *service, name string, labels map[string]string, listener string) (*harness.Proxy, error) {
	return s.Proxy(ctx, s.binaries[svc.proxy], harness.ProxyConfig{Name: name, Labels: labels, ADS: s.controller.ADS, Listeners: []string{listener}})
}

// client starts a client of the service's proxy.
func (s *stage) client(ctx context.Context, svc *service, name string, args ...string) (*harness.Process, error) {
	addr, err := s.proxies[svc.name].Address(ctx, svc.name)
	if err != nil {
		return nil, err
	}
	return s.Start(name, s.binaries[svc.peer], append([]string{"client", "-target", addr}, args...)...)
}
