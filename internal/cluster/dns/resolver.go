// Package dns resolves host names the way the system's resolver does
// (/etc/resolv.conf, /etc/hosts), but tells how long an answer holds, which
// Go's own resolver does not. It asks once per call and caches nothing: when to
// ask again is its caller's to decide.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	miekg "github.com/miekg/dns"
)

// Bounds of how long an answer holds, whatever its records say: a TTL of 0
// must not make a busy loop, one of a week must not hide a move.
const (
	MinTTL = time.Second
	MaxTTL = 5 * time.Minute
)

// hostsTTL is how soon a change of the hosts file is seen.
const hostsTTL = 5 * time.Second

// Family says which addresses are wanted.
type Family uint8

// Prefer4: IPv4, or IPv6 where there is none; the default. Only4 and Only6:
// the others do not count. Both: all there are.
const (
	Prefer4 Family = iota
	Only4
	Only6
	Both
)

// ErrNotFound says that the name does not exist, or has no address of the
// wanted family: an answer, not a failure to get one.
var ErrNotFound = errors.New("dns: no such host")

// Options configures a Resolver. All fields may be zero.
type Options struct {
	// Servers are asked instead of those of ResolvConf.
	Servers []netip.AddrPort
	// ResolvConf and Hosts are the system's files; default /etc/resolv.conf
	// and /etc/hosts.
	ResolvConf, Hosts string
	// Timeout of one query to one server; default: what ResolvConf says, 5 s.
	Timeout time.Duration
}

// Resolver looks names up. Its methods may be called from any goroutine.
type Resolver struct {
	o Options

	mu    sync.Mutex // guards what follows
	conf  stamped[*miekg.ClientConfig]
	hosts stamped[map[string][]netip.Addr]
}

// New returns a resolver; it does nothing until it is asked.
func New(o Options) *Resolver {
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	if o.Hosts == "" {
		o.Hosts = "/etc/hosts"
	}
	r := &Resolver{o: o}
	r.conf.file, r.hosts.file = o.ResolvConf, o.Hosts
	return r
}

// Answer is what a lookup found.
type Answer struct {
	Addrs []netip.Addr  // sorted, each once
	TTL   time.Duration // in [MinTTL, MaxTTL]
}

// Lookup resolves a name. With ErrNotFound the Answer's TTL says how long that
// holds; with any other error the Answer is empty. ctx bounds the whole lookup.
func (r *Resolver) Lookup(ctx context.Context, name string, f Family) (Answer, error) {
	if a, ok := r.direct(name, f); ok {
		if len(a.Addrs) == 0 {
			return a, fmt.Errorf("%w: %s", ErrNotFound, name)
		}
		return a, nil
	}
	s := r.settings()
	ttl := MaxTTL
	for _, fqdn := range s.names(name) {
		if _, ok := miekg.IsDomainName(fqdn); !ok {
			continue // too long with this suffix
		}
		a, err := query(ctx, &s, fqdn, f)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, ErrNotFound) {
			// Without this name's answer the next one's could be wrong.
			return Answer{}, err
		}
		ttl = min(ttl, a.TTL)
	}
	return Answer{TTL: ttl}, fmt.Errorf("%w: %s", ErrNotFound, name)
}

// direct answers what needs no server: addresses, localhost (RFC 6761,
// section 6.3) and what the hosts file has.
func (r *Resolver) direct(name string, f Family) (Answer, bool) {
	if a, err := netip.ParseAddr(name); err == nil {
		return Answer{Addrs: []netip.Addr{a.Unmap()}, TTL: MaxTTL}, true
	}
	if key := hostKey(name); key == "localhost" || strings.HasSuffix(key, ".localhost") {
		loop := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
		return Answer{Addrs: f.choose(loop), TTL: MaxTTL}, true
	}
	if a := f.choose(r.fromHosts(name)); len(a) > 0 {
		return Answer{Addrs: a, TTL: hostsTTL}, true
	}
	return Answer{}, false
}

// choose returns what the family wants of all, sorted, each once.
func (f Family) choose(all []netip.Addr) []netip.Addr {
	var four, six []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	var out []netip.Addr
	switch {
	case f == Only4, f == Prefer4 && len(four) > 0:
		out = four
	case f == Only6, f == Prefer4:
		out = six
	default:
		out = append(four, six...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
