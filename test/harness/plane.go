package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startPatience is how long a part of the mesh may take to be ready.
const startPatience = 30 * time.Second

// FreePorts returns n ports of 127.0.0.1 that nobody listens on now.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Controller is a running control plane.
type Controller struct {
	*Process
	ADS    string // address for proxies
	Status string // address of the status endpoint
}

// Controller starts aeraki controller on the mesh's folder and returns when it
// serves. Addresses given are kept, so that a restarted one is found again;
// empty ones are chosen.
func (m *Mesh) Controller(ctx context.Context, binary, ads, status string, args ...string) (*Controller, error) {
	if ads == "" || status == "" {
		ports, err := FreePorts(2)
		if err != nil {
			return nil, err
		}
		ads, status = fmt.Sprint("127.0.0.1:", ports[0]), fmt.Sprint("127.0.0.1:", ports[1])
	}
	p, err := m.Start("controller", binary, append([]string{"controller", "--config", m.Config(), "--state", m.State(),
		"--listen", ads, "--status", status}, args...)...)
	if err != nil {
		return nil, err
	}
	c := &Controller{Process: p, ADS: ads, Status: status}
	return c, m.await(ctx, p, func(ctx context.Context) error {
		_, err := Get(ctx, "http://"+status+"/ready")
		return err
	})
}

// await waits until ready returns nil while p runs.
func (m *Mesh) await(ctx context.Context, p *Process, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := Until(ctx, func() error {
		select {
		case <-p.Done():
			cancel()
			return fmt.Errorf("%s ended", p.Name)
		default:
			return ready(ctx)
		}
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w\n%s", p.Name, err, p.Log(20))
	}
	return nil
}

// ProxyConfig is what a proxy of the mesh is started with.
type ProxyConfig struct {
	Name      string            // also the workload
	Namespace string            // "demo" if empty
	Labels    map[string]string // of the workload
	ADS       string            // the controller's
	Workers   int               // 1 if 0
	Listeners []string          // flow YAML: {name: x, bind: "…", outbound: {…}}
	Drain     string            // drainTimeout; 5s if empty
}

// Proxy is a running proxy.
type Proxy struct {
	*Process
	Admin string // address of the admin endpoint
}

// Proxy starts a proxy and returns when it is ready: it has a configuration
// and all of its listeners are open.
func (m *Mesh) Proxy(ctx context.Context, binary string, c ProxyConfig) (*Proxy, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	p := &Proxy{Admin: fmt.Sprint("127.0.0.1:", ports[0])}
	file := filepath.Join(m.Dir, c.Name+".proxy.yaml")
	if err := os.WriteFile(file, c.yaml(p.Admin), 0o644); err != nil {
		return nil, err
	}
	if p.Process, err = m.Start(c.Name, binary, "--config", file); err != nil {
		return nil, err
	}
	return p, m.await(ctx, p.Process, func(ctx context.Context) error {
		_, err := Get(ctx, "http://"+p.Admin+"/ready")
		return err
	})
}

func (c ProxyConfig) yaml(admin string) []byte {
	var b strings.Builder
	labels, _ := json.Marshal(c.Labels) // a map of strings
	fmt.Fprintf(&b, "node: {id: %s, namespace: %s, workload: %s, labels: %s}\n", c.Name, or(c.Namespace, "demo"), c.Name, or(strings.TrimPrefix(string(labels), "null"), "{}"))
	fmt.Fprintf(&b, "controlPlane: {address: %q}\nadmin: {address: %q}\nworkers: %d\ndrainTimeout: %s\nlisteners:\n", c.ADS, admin, max(c.Workers, 1), or(c.Drain, "5s"))
	for _, l := range c.Listeners {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	return []byte(b.String())
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// InForce is what a proxy's /config shows, as far as tests look.
type InForce struct {
	Version   string `json:"version"`
	Listeners []struct {
		Name    string  `json:"name"`
		Address string  `json:"address"`
		Routes  []Route `json:"routes"`
	} `json:"listeners"`
}

// Route is a route in force.
type Route struct {
	Name     string   `json:"name"`
	Match    []string `json:"match"`
	Timeout  string   `json:"timeout"`
	Clusters []struct {
		Name   string `json:"name"`
		Weight uint32 `json:"weight"`
	} `json:"clusters"`
}

// Shares returns the share in percent of each subset that the route sends to;
// the whole service is "".
func (r *Route) Shares() map[string]float64 {
	total, shares := 0.0, map[string]float64{}
	for _, c := range r.Clusters {
		total += float64(c.Weight)
	}
	for _, c := range r.Clusters {
		if parts := strings.Split(c.Name, "|"); len(parts) == 4 {
			shares[parts[2]] += 100 * float64(c.Weight) / total
		}
	}
	return shares
}

// Config returns the configuration in force.
func (p *Proxy) Config(ctx context.Context) (c InForce, err error) {
	b, err := Get(ctx, "http://"+p.Admin+"/config")
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(b, &c)
}

// Address returns where a listener accepts.
func (p *Proxy) Address(ctx context.Context, listener string) (string, error) {
	c, err := p.Config(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range c.Listeners {
		if l.Name == listener && l.Address != "" {
			return l.Address, nil
		}
	}
	return "", fmt.Errorf("%s has no open listener %s", p.Name, listener)
}

// Explain returns the route in force for a request with these properties, nil
// if there is none.
func (p *Proxy) Explain(ctx context.Context, listener string, properties map[string]string) (*Route, error) {
	q := url.Values{"listener": {listener}}
	for k, v := range properties {
		q.Set(k, v)
	}
	b, err := Get(ctx, "http://"+p.Admin+"/explain?"+q.Encode())
	if err != nil {
		return nil, err
	}
	var e struct{ Route *Route }
	return e.Route, json.Unmarshal(b, &e)
}

// Metric returns the sum of a metric's samples whose line holds all of these
// texts.
func (p *Proxy) Metric(ctx context.Context, name string, having ...string) (float64, error) {
	b, err := Get(ctx, "http://"+p.Admin+"/metrics")
	if err != nil {
		return 0, err
	}
	sum := 0.0
lines:
	for _, line := range strings.Split(string(b), "\n") {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		for _, h := range having {
			if !strings.Contains(line, h) {
				continue lines
			}
		}
		var v float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v); err != nil {
			return 0, fmt.Errorf("metric %s: %w", line, err)
		}
		sum += v
	}
	return sum, nil
}
