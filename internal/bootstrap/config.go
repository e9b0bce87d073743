// Package bootstrap reads aeraki-proxy's one configuration file: who the proxy
// is, where its control plane is, and which listeners it asks for. Everything
// else comes over xDS. Announcing it to the control plane belongs here too;
// acting on it does not.
package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"sigs.k8s.io/yaml"
)

// Config is the file, with defaults filled in. What Load and Parse return is
// valid.
type Config struct {
	Node         Node         `json:"node"`
	ControlPlane ControlPlane `json:"controlPlane"`
	Admin        Admin        `json:"admin"`
	// Workers is the number of event loops; default: the number of CPUs.
	Workers int `json:"workers"`
	// DrainTimeout bounds the graceful end of the process; default 30 s.
	DrainTimeout Duration   `json:"drainTimeout"`
	Listeners    []Listener `json:"listeners"`
}

// Node is the workload that the proxy serves.
type Node struct {
	// ID is unique among the proxies of a control plane; default: hostname-pid.
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	// Workload is the name of the workload, for metrics; may be empty.
	Workload string            `json:"workload"`
	Labels   map[string]string `json:"labels"`
}

// ControlPlane is the ADS server: "unix:/path", or an IP and port on loopback
// (there is no TLS to it yet).
type ControlPlane struct {
	Address string `json:"address"`
}

// Admin is the endpoint for operators: an IP and port on loopback, default
// 127.0.0.1:15000.
type Admin struct {
	Address string `json:"address"`
}

// Listener is an accepting address and what it is for: exactly one of
// Outbound, Inbound and Gateway.
type Listener struct {
	Name string `json:"name"`
	// Bind is an IP and port; port 0 takes any free one.
	Bind     string    `json:"bind"`
	Outbound *Outbound `json:"outbound,omitempty"`
	Inbound  *Inbound  `json:"inbound,omitempty"`
	Gateway  *Gateway  `json:"gateway,omitempty"`
}

// Outbound: beside a client, for the port of a service.
type Outbound struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// Inbound: beside a server of the service's port, which listens at Endpoint.
type Inbound struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Endpoint string `json:"endpoint"`
}

// Gateway: a port of the gateway namespace/name, which any workload may call.
type Gateway struct {
	Name string `json:"name"`
	Port int    `json:"port"`
}

// Duration is a time.Duration written as "30s" or "1m30s".
type Duration time.Duration

// UnmarshalJSON reads the text form only: a bare number has no unit.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s: is written with its unit, as \"30s\"", b)
	}
	v, err := time.ParseDuration(s)
	*d = Duration(v)
	return err
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Load reads and checks the file. The error names the file and every field
// that is wrong.
func Load(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads and checks a file's content: YAML, unknown and repeated fields
// are errors. The error has one line per problem.
func Parse(b []byte) (*Config, error) {
	c := defaults()
	shape := yaml.UnmarshalStrict(b, c)
	if shape != nil {
		// The strict decoder stops at the first problem; what else is wrong
		// shows when the rest is read without it.
		c = defaults()
		if yaml.Unmarshal(b, c) != nil {
			return nil, shape
		}
	}
	if err := errors.Join(shape, c.Validate()); err != nil {
		return nil, err
	}
	return c, nil
}

func defaults() *Config {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &Config{
		Node:         Node{ID: fmt.Sprintf("%s-%d", host, os.Getpid())},
		Admin:        Admin{Address: "127.0.0.1:15000"},
		Workers:      runtime.NumCPU(),
		DrainTimeout: Duration(30 * time.Second),
	}
}

// AdminAddress is Admin.Address, parsed.
func (c *Config) AdminAddress() netip.AddrPort {
	a, _ := netip.ParseAddrPort(c.Admin.Address)
	return a
}

// Gateways lists the names of the listeners that are ports of a gateway: there
// any workload may call.
func (c *Config) Gateways() []string {
	var names []string
	for _, l := range c.Listeners {
		if l.Gateway != nil {
			names = append(names, l.Name)
		}
	}
	return names
}
