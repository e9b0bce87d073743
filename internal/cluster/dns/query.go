package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// udpSize is what is announced with EDNS0; larger datagrams tend to be lost
// (https://www.dnsflagday.net/2020/).
const udpSize = 1232

// maxChain bounds the CNAMEs that are followed in one answer.
const maxChain = 16

// records is what one question brought.
type records struct {
	addrs []netip.Addr
	ttl   time.Duration
	err   error // no answer
}

// query asks for what the family wants. With Prefer4, IPv6 is asked for only
// where it counts: some servers never answer for AAAA.
func query(ctx context.Context, s *settings, fqdn string, f Family) (Answer, error) {
	switch f {
	case Only4:
		return queryTypes(ctx, s, fqdn, f, miekg.TypeA)
	case Only6:
		return queryTypes(ctx, s, fqdn, f, miekg.TypeAAAA)
	case Both:
		return queryTypes(ctx, s, fqdn, f, miekg.TypeA, miekg.TypeAAAA)
	}
	four, err := queryTypes(ctx, s, fqdn, Only4, miekg.TypeA)
	if !errors.Is(err, ErrNotFound) {
		return four, err
	}
	six, err := queryTypes(ctx, s, fqdn, Only6, miekg.TypeAAAA)
	if errors.Is(err, ErrNotFound) {
		six.TTL = min(six.TTL, four.TTL)
	}
	return six, err
}

// queryTypes asks for all types at once and joins what came.
func queryTypes(ctx context.Context, s *settings, fqdn string, f Family, types ...uint16) (Answer, error) {
	results := make(chan records, len(types))
	for _, t := range types {
		go func() { results <- ask(ctx, s, fqdn, t) }()
	}
	var found []netip.Addr
	var failed error
	ttl, none := MaxTTL, MaxTTL
	for range types {
		r := <-results
		failed = errors.Join(failed, r.err)
		if len(r.addrs) > 0 {
			ttl = min(ttl, r.ttl)
			found = append(found, r.addrs...)
		} else if r.err == nil {
			none = min(none, r.ttl)
		}
	}
	if failed != nil {
		// Half an answer would look as if the other half were gone.
		return Answer{}, failed
	}
	if found = f.choose(found); len(found) == 0 {
		return Answer{TTL: clamp(none)}, fmt.Errorf("%w: %s", ErrNotFound, fqdn)
	}
	return Answer{Addrs: found, TTL: clamp(ttl)}, nil
}

func clamp(d time.Duration) time.Duration { return max(MinTTL, min(MaxTTL, d)) }

// ask puts one question to the servers in turn until one answers.
func ask(ctx context.Context, s *settings, fqdn string, qtype uint16) records {
	var last error
	for range max(1, s.attempts) {
		for _, server := range s.servers {
			reply, err := exchange(ctx, server, s.timeout, fqdn, qtype)
			if err == nil {
				addrs, ttl := read(reply, fqdn, qtype)
				return records{addrs: addrs, ttl: ttl}
			}
			last = err
			if ctx.Err() != nil {
				return records{err: last}
			}
		}
	}
	return records{err: last}
}

// exchange asks one server: over UDP, and over TCP where the answer did not
// fit (RFC 7766, section 5). A reply that is no answer is an error.
func exchange(ctx context.Context, server string, timeout time.Duration, fqdn string, qtype uint16) (*miekg.Msg, error) {
	m := new(miekg.Msg).SetQuestion(fqdn, qtype)
	m.SetEdns0(udpSize, false)
	reply, err := send(ctx, "udp", server, timeout, m)
	if err == nil && reply.Truncated {
		reply, err = send(ctx, "tcp", server, timeout, m)
	}
	what := miekg.TypeToString[qtype]
	if err != nil {
		return nil, fmt.Errorf("dns: %s %s: server %s: %w", fqdn, what, server, err)
	}
	if len(reply.Question) != 1 || !strings.EqualFold(reply.Question[0].Name, fqdn) || reply.Question[0].Qtype != qtype {
		return nil, fmt.Errorf("dns: %s %s: server %s answered another question", fqdn, what, server)
	}
	if reply.Rcode != miekg.RcodeSuccess && reply.Rcode != miekg.RcodeNameError {
		return nil, fmt.Errorf("dns: %s %s: server %s answered %s", fqdn, what, server, miekg.RcodeToString[reply.Rcode])
	}
	return reply, nil
}

func send(ctx context.Context, network, server string, timeout time.Duration, m *miekg.Msg) (*miekg.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := miekg.Client{Net: network, Timeout: timeout, UDPSize: udpSize}
	conn, err := c.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Closing is what ends a read that waits when ctx does.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	reply, _, err := c.ExchangeWithConnContext(ctx, m, conn)
	return reply, err
}

// read returns the addresses that the answer has for the name, following its
// CNAMEs, and the least TTL on the way; without addresses, how long that holds
// (RFC 2308, section 5).
func read(m *miekg.Msg, fqdn string, qtype uint16) ([]netip.Addr, time.Duration) {
	name, ttl := fqdn, uint32(MaxTTL/time.Second)
	for range maxChain {
		var addrs []netip.Addr
		alias := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if !strings.EqualFold(h.Name, name) || h.Class != miekg.ClassINET {
				continue
			}
			if a, ok := address(rr, qtype); ok {
				addrs = append(addrs, a)
				ttl = min(ttl, h.Ttl)
			} else if c, ok := rr.(*miekg.CNAME); ok {
				alias = c.Target
				ttl = min(ttl, h.Ttl)
			}
		}
		if len(addrs) > 0 {
			return addrs, time.Duration(ttl) * time.Second
		}
		if alias == "" {
			break
		}
		name = alias
	}
	hold := MinTTL
	for _, rr := range m.Ns {
		if soa, ok := rr.(*miekg.SOA); ok {
			hold = time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
		}
	}
	return nil, hold
}

func address(rr miekg.RR, qtype uint16) (netip.Addr, bool) {
	var ip []byte
	switch rr := rr.(type) {
	case *miekg.A:
		if qtype != miekg.TypeA {
			return netip.Addr{}, false
		}
		ip = rr.A.To4()
	case *miekg.AAAA:
		if qtype != miekg.TypeAAAA {
			return netip.Addr{}, false
		}
		ip = rr.AAAA.To16()
	}
	a, ok := netip.AddrFromSlice(ip)
	return a, ok
}
