package bootstrap

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"time"
)

// Bounds of what the file may ask for.
const (
	maxWorkers = 1024
	maxDrain   = time.Hour
)

var (
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsName  = regexp.MustCompile(`^[a-zA-Z0-9_*]([-a-zA-Z0-9_.]{0,251}[a-zA-Z0-9])?$`)
)

// Validate returns all problems, one line each, named by their fields; nil if
// there are none.
func (c *Config) Validate() error {
	var p problems
	if c.Node.ID == "" {
		p.add("node.id: is empty")
	}
	if !dnsLabel.MatchString(c.Node.Namespace) {
		p.add("node.namespace: %q is not a namespace's name", c.Node.Namespace)
	}
	if err := checkControlPlane(c.ControlPlane.Address); err != nil {
		p.add("controlPlane.address: %w", err)
	}
	if a, err := netip.ParseAddrPort(c.Admin.Address); err != nil {
		p.add("admin.address: %q is not an IP address and port", c.Admin.Address)
	} else if !a.Addr().IsLoopback() {
		p.add("admin.address: %s is not on loopback; the endpoint has no authentication", a)
	}
	if c.Workers < 1 || c.Workers > maxWorkers {
		p.add("workers: %d is not between 1 and %d", c.Workers, maxWorkers)
	}
	if d := time.Duration(c.DrainTimeout); d < 0 || d > maxDrain {
		p.add("drainTimeout: %s is not between 0s and %s", d, maxDrain)
	}
	if len(c.Listeners) == 0 {
		p.add("listeners: there are none")
	}
	p.listeners(c.Listeners)
	return errors.Join(p...)
}

type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

func checkControlPlane(address string) error {
	if file, ok := strings.CutPrefix(address, "unix:"); ok {
		if !path.IsAbs(file) {
			return fmt.Errorf("%q: the path of a Unix socket is absolute", address)
		}
		return nil
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is neither unix:/path nor an IP address and port", address)
	}
	if !a.Addr().IsLoopback() || a.Port() == 0 {
		return fmt.Errorf("%s is not a port on loopback; the connection is not encrypted", a)
	}
	return nil
}

func (p *problems) listeners(all []Listener) {
	names, binds := map[string]int{}, map[netip.AddrPort]int{}
	for i := range all {
		l, at := &all[i], fmt.Sprintf("listeners[%d]", i)
		if l.Name == "" {
			p.add("%s.name: is empty", at)
		} else if first, taken := names[l.Name]; taken {
			p.add("%s.name: %q is the name of listeners[%d] already", at, l.Name, first)
		} else {
			names[l.Name] = i
		}
		if a, err := netip.ParseAddrPort(l.Bind); err != nil {
			p.add("%s.bind: %q is not an IP address and port", at, l.Bind)
		} else if first, taken := binds[a]; taken && a.Port() != 0 {
			p.add("%s.bind: %s is the address of listeners[%d] already", at, a, first)
		} else {
			binds[a] = i
		}
		p.purpose(at, l)
	}
}

func (p *problems) purpose(at string, l *Listener) {
	n := 0
	if o := l.Outbound; o != nil {
		n++
		p.service(at+".outbound", o.Host, o.Port)
	}
	if in := l.Inbound; in != nil {
		n++
		p.service(at+".inbound", in.Host, in.Port)
		if a, err := netip.ParseAddrPort(in.Endpoint); err != nil || a.Port() == 0 {
			p.add("%s.inbound.endpoint: %q is not an IP address and port", at, in.Endpoint)
		}
	}
	if g := l.Gateway; g != nil {
		n++
		ns, name, ok := strings.Cut(g.Name, "/")
		if !ok || !dnsLabel.MatchString(ns) || !dnsName.MatchString(name) {
			p.add("%s.gateway.name: %q is not namespace/name", at, g.Name)
		}
		p.port(at+".gateway.port", g.Port)
	}
	if n != 1 {
		p.add("%s: has %d of outbound, inbound and gateway; it needs exactly one", at, n)
	}
}

func (p *problems) service(at, host string, port int) {
	if !dnsName.MatchString(host) {
		p.add("%s.host: %q is not a host name", at, host)
	}
	p.port(at+".port", port)
}

func (p *problems) port(at string, port int) {
	if port < 1 || port > 65535 {
		p.add("%s: %d is not a port", at, port)
	}
}
