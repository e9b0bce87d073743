// Package harness runs whole meshes on loopback for tests and the demo: the
// real control plane and proxies, and real peers of real protocols, each a
// process of its own. It returns errors instead of failing tests, because the
// demo is no test. What is protocol-specific belongs to the peers.
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Mesh is a folder, binaries and the processes started from them.
type Mesh struct {
	Root string // the repository
	Dir  string // of this mesh: config/, state/, logs/, sockets
	Bin  string // where binaries are built

	mu    sync.Mutex
	procs []*Process // guarded by mu
	count int        // guarded by mu
}

// Root returns the repository's folder, found upwards from the working one.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/aeraki-mesh/aeraki\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the repository of aeraki")
		}
	}
}

// New makes a mesh in dir, which must exist.
func New(dir string) (*Mesh, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	m := &Mesh{Root: root, Dir: dir, Bin: filepath.Join(root, ".cache", "bin")}
	for _, d := range []string{m.Config(), m.State(), filepath.Join(dir, "logs"), m.Bin} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Config is the folder that the control plane reads.
func (m *Mesh) Config() string { return filepath.Join(m.Dir, "config") }

// State is the folder where the control plane keeps what is last good.
func (m *Mesh) State() string { return filepath.Join(m.Dir, "state") }

// Write writes a file of the configuration, replacing it at once.
func (m *Mesh) Write(name, content string) error {
	tmp := filepath.Join(m.Dir, "."+filepath.Base(name)+".tmp")
	if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(m.Config(), name))
}

// Remove deletes a file of the configuration.
func (m *Mesh) Remove(name string) error { return os.Remove(filepath.Join(m.Config(), name)) }

// buildMu keeps builds of one process from running side by side.
var buildMu sync.Mutex

// Build builds a Go program of the repository, given as its folder
// ("cmd/aeraki", "test/peers/thrift"), and returns the binary's path.
func (m *Mesh) Build(ctx context.Context, folder string) (string, error) {
	buildMu.Lock()
	defer buildMu.Unlock()
	out := filepath.Join(m.Bin, strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(folder, "cmd/"), "test/"), "/", "-"))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", out, ".") // as make build
	cmd.Dir = filepath.Join(m.Root, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, b)
	}
	return out, nil
}

// Start runs a program until the mesh stops. The name is made unique.
func (m *Mesh) Start(name, path string, args ...string) (*Process, error) {
	m.mu.Lock()
	m.count++
	log := filepath.Join(m.Dir, "logs", fmt.Sprintf("%s-%d.log", name, m.count))
	m.mu.Unlock()
	p, err := start(name, log, path, args...)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.procs = append(m.procs, p)
	m.mu.Unlock()
	return p, nil
}

// Stop ends all processes, those started last first, and returns what went
// wrong in those that still ran.
func (m *Mesh) Stop() error {
	m.mu.Lock()
	procs := m.procs
	m.procs = nil
	m.mu.Unlock()
	var errs []error
	for i := len(procs) - 1; i >= 0; i-- {
		select {
		case <-procs[i].Done():
			procs[i].Kill() // what it may have left
		default:
			errs = append(errs, procs[i].Stop())
		}
	}
	return errors.Join(errs...)
}

// Server is a peer that serves.
type Server struct {
	*Process
	Addr string
}

// Server starts a peer's server and returns once it listens.
func (m *Mesh) Server(name, path string, args ...string) (*Server, error) {
	p, err := m.Start(name, path, append([]string{"server", "-listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return nil, err
	}
	line, ok := p.Line(0)
	addr, listening := strings.CutPrefix(line, "LISTENING ")
	if !ok || !listening {
		return nil, fmt.Errorf("%s did not start: %q\n%s", name, line, p.Log(20))
	}
	return &Server{Process: p, Addr: addr}, nil
}

// Counts is what a server says at its end.
type Counts struct {
	Name     string         `json:"name"`
	Served   int            `json:"served"`
	ByMethod map[string]int `json:"by_method"`
}

// Finish stops the server and returns its counts.
func (s *Server) Finish() (Counts, error) {
	err := s.Stop()
	var c Counts
	return c, errors.Join(err, json.Unmarshal([]byte(s.Last()), &c))
}

// Report is what a client says at its end, or of an interval.
type Report struct {
	Sent      int            `json:"sent"`
	OK        int            `json:"ok"`
	Errors    map[string]int `json:"errors"`
	Wrong     int            `json:"wrong"`
	ByVersion map[string]int `json:"by_version"`
	P50       int            `json:"p50_us"`
	P99       int            `json:"p99_us"`
	RPS       float64        `json:"rps"`

	TotalSent   int `json:"total_sent"`
	TotalOK     int `json:"total_ok"`
	TotalErrors int `json:"total_errors"`
	TotalWrong  int `json:"total_wrong"`
}

// Failed returns the number of requests that did not end well.
func (r Report) Failed() int { return r.Sent - r.OK }

// Client runs a peer's client to its end. The error is of the process; a
// report with failures in it is not an error here, though the client's exit
// code says so.
func (m *Mesh) Client(ctx context.Context, name, path string, args ...string) (Report, error) {
	p, err := m.Start(name, path, append([]string{"client"}, args...)...)
	if err != nil {
		return Report{}, err
	}
	return p.Report(ctx)
}

// Report waits for a client's end and returns its last line.
func (p *Process) Report(ctx context.Context) (Report, error) {
	ended := p.Wait(ctx)
	var r Report
	var exit *exec.ExitError
	if ended != nil && !errors.As(ended, &exit) {
		p.Kill()
		return r, ended
	}
	if err := json.Unmarshal([]byte(p.Last()), &r); err != nil {
		return r, fmt.Errorf("%s said %q: %w\n%s", p.Name, p.Last(), err, p.Log(20))
	}
	return r, nil
}

// Get reads a JSON or text page of a process on this machine.
func Get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(b)))
	}
	return b, err
}

// Until calls f every few milliseconds until it returns nil; if ctx ends
// before, it returns f's last error.
func Until(ctx context.Context, f func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			_, file, line, _ := runtime.Caller(1)
			return fmt.Errorf("%s:%d: waited in vain: %w", filepath.Base(file), line, err)
		case <-tick.C:
		}
	}
}
