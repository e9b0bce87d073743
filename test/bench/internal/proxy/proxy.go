// Package proxy starts the proxies under test, each pinned to one core, and
// installs those that are missing.
package proxy

import (
	"context"
	"slices"
)

// Proxy is one program in one configuration.
type Proxy struct {
	Name  string   // as in tables and in -proxies
	Wires []string // protocols that it can carry
	// Reference tells that other proxies' CPU is also given as a ratio to
	// this one's.
	Reference bool
	// Go tells that the program is written in Go and says, at its process's
	// Metrics, how many objects it allocated.
	Go bool
	// Start runs the proxy and returns once its process exists; the caller
	// waits until it answers. It must be called from the goroutine that locked
	// the main thread: children die with the thread that started them.
	Start func(ctx context.Context, s Setup) (*Process, error)
}

// Setup is what a proxy is to do.
type Setup struct {
	Wire      string   // protocol
	Listen    string   // address to accept on
	Upstreams []string // two endpoints
	Core      int      // CPU for the proxy
	// HelperCore is for what a proxy needs beside it, such as a control plane.
	HelperCore int
	Dir        string // empty folder of its own, removed after the run
}

// Carries tells whether the proxy can be measured with a protocol.
func (p *Proxy) Carries(wire string) bool { return slices.Contains(p.Wires, wire) }

// Direct is the name of the case without a proxy.
const Direct = "direct"

// All is every proxy that the benchmark knows, in the order of its tables.
// The first, with no Start, is the load generator straight to the server.
func All(i *Installed) []Proxy {
	both := []string{"thrift", "dubbo"}
	return []Proxy{
		{Name: Direct, Wires: both},
		{Name: "aeraki", Wires: both, Go: true, Start: i.startAeraki(byProtocol)},
		{Name: "aeraki-shared", Wires: []string{"thrift"}, Go: true, Start: i.startAeraki(shared)},
		{Name: "haproxy", Wires: both, Reference: true, Start: i.startHAProxy},
		{Name: "envoy-tcp", Wires: both, Start: i.startEnvoy(tcpProxy, connectionPerClient)},
		{Name: "envoy-thrift", Wires: []string{"thrift"}, Reference: true, Start: i.startEnvoy(thriftProxy, connectionPerRequest)},
		{Name: "envoy-dubbo", Wires: []string{"dubbo"}, Reference: true, Start: i.startEnvoy(dubboProxy, connectionPerRequest)},
	}
}
