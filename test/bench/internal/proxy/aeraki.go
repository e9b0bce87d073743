package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
)

// The product's programs, as `make build` leaves them in one folder.
const (
	controllerProgram = "aeraki"
	proxyProgram      = "aeraki-proxy"
)

// aeraki checks that the product was built: an old or missing build must not
// be measured by accident, so nothing is built here.
func (i Installer) aeraki() (string, error) {
	dir, err := filepath.Abs(i.Bin)
	if err != nil {
		return "", err
	}
	for _, name := range []string{controllerProgram, proxyProgram} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%w: run `make build` in the repository's root, name the folder with -bin, or leave aeraki out with -proxies", err)
		}
	}
	return dir, nil
}

// sharing is the value of the annotation that decides who shares upstream
// connections; empty: none, as the protocol's servers work.
type sharing string

const (
	byProtocol sharing = ""
	shared     sharing = "shared"
)

// startAeraki runs the control plane on the other core, with the rules of a
// real deployment in its folder, and the proxy with one worker under it.
func (i *Installed) startAeraki(upstreams sharing) func(context.Context, Setup) (*Process, error) {
	return func(ctx context.Context, s Setup) (*Process, error) {
		addrs, err := freePorts(s.Listen, 3)
		if err != nil {
			return nil, err
		}
		ads, status, admin := addrs[0], addrs[1], addrs[2]
		controller, err := i.startController(ctx, s, upstreams, ads, status)
		if err != nil {
			return nil, fmt.Errorf("control plane: %w", err)
		}
		file := filepath.Join(s.Dir, "proxy.yaml")
		if err := os.WriteFile(file, proxyYAML(s, ads, admin), 0o600); err != nil {
			controller.Stop()
			return nil, err
		}
		p, err := StartPinned(s.Core, filepath.Join(i.Aeraki, proxyProgram), "--config", file)
		if err != nil {
			controller.Stop()
			return nil, err
		}
		p.helper, p.Metrics = controller, "http://"+admin+"/metrics"
		if err := p.awaitReady(ctx, "http://"+admin+"/ready"); err != nil {
			p.Stop()
			return nil, err
		}
		return p, nil
	}
}

func (i *Installed) startController(ctx context.Context, s Setup, upstreams sharing, ads, status string) (*Process, error) {
	rules := filepath.Join(s.Dir, "rules")
	if err := os.Mkdir(rules, 0o700); err != nil {
		return nil, err
	}
	y, err := rulesYAML(s, upstreams)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(rules, "bench.yaml"), y, 0o600); err != nil {
		return nil, err
	}
	p, err := StartPinned(s.HelperCore, filepath.Join(i.Aeraki, controllerProgram), "controller",
		"--config", rules, "--state", filepath.Join(s.Dir, "state"), "--listen", ads, "--status", status)
	if err != nil {
		return nil, err
	}
	if err := p.awaitReady(ctx, "http://"+status+"/ready"); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// servicePort is the port of the service, which nothing listens on.
const servicePort = 9090

// rulesYAML is a service of two subsets with a MetaRouter: a match on the
// method, half and half, and a timeout. Limits and metrics are on without
// being asked for.
func rulesYAML(s Setup, upstreams sharing) ([]byte, error) {
	annotations := ""
	if upstreams != byProtocol {
		annotations = fmt.Sprintf(", annotations: {aeraki.io/upstream-sharing: %s}", upstreams)
	}
	var ports [2]string
	for n, u := range s.Upstreams {
		var err error
		if _, ports[n], err = net.SplitHostPort(u); err != nil {
			return nil, err
		}
	}
	return fmt.Appendf(nil, `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: echo, namespace: bench%[1]s}
spec:
  hosts: [echo.bench]
  ports: [{number: %[2]d, name: tcp-metaprotocol-%[3]s, protocol: TCP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {tcp-metaprotocol-%[3]s: %[4]s}, labels: {version: v1}}
  - {address: 127.0.0.1, ports: {tcp-metaprotocol-%[3]s: %[5]s}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo, namespace: bench}
spec:
  host: echo.bench
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: echo, namespace: bench}
spec:
  hosts: [echo.bench]
  routes:
  - name: split
    match: {attributes: {method: {exact: %[6]s}}}
    timeout: 5s
    route:
    - {destination: {host: echo.bench, subset: v1}, weight: 50}
    - {destination: {host: echo.bench, subset: v2}, weight: 50}
`, annotations, servicePort, s.Wire, ports[0], ports[1], frame.Method), nil
}

func proxyYAML(s Setup, ads, admin string) []byte {
	return fmt.Appendf(nil, `node: {id: bench, namespace: bench, workload: bench}
controlPlane: {address: %q}
admin: {address: %q}
workers: 1
listeners:
- {name: in, bind: %q, outbound: {host: echo.bench, port: %d}}
`, ads, admin, s.Listen, servicePort)
}

// awaitReady waits until url answers 200, the process ends, or ctx does.
func (p *Process) awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = answersOK(ctx, url); last == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it has ended: %s", p.Log())
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w; its log: %s", last, p.Log())
		case <-tick.C:
		}
	}
}

func answersOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// One connection per question: none is left open in the process's memory.
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
