package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aeraki-mesh/aeraki/internal/cluster/dns/dnstest"
)

// start returns a resolver that asks the server, with files of its own.
func start(t *testing.T, resolvConf, hosts string) (*Resolver, *dnstest.Server) {
	t.Helper()
	s := dnstest.Start(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "resolv.conf"), resolvConf)
	write(t, filepath.Join(dir, "hosts"), hosts)
	return New(Options{
		Servers:    []netip.AddrPort{s.Addr},
		ResolvConf: filepath.Join(dir, "resolv.conf"),
		Hosts:      filepath.Join(dir, "hosts"),
	}), s
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, r *Resolver, name string, f Family) (string, time.Duration) {
	t.Helper()
	a, err := r.Lookup(t.Context(), name, f)
	if errors.Is(err, ErrNotFound) {
		return "none", a.TTL
	} else if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, x := range a.Addrs {
		s = append(s, x.String())
	}
	return strings.Join(s, " "), a.TTL
}

func TestLookupByFamily(t *testing.T) {
	r, s := start(t, "", "")
	s.Set(t, "two.test.", "two.test. 30 IN A 10.0.0.2", "two.test. 30 IN A 10.0.0.1", "two.test. 20 IN AAAA 2001:db8::1")
	s.Set(t, "six.test.", "six.test. 30 IN AAAA 2001:db8::6")
	for _, c := range []struct {
		name   string
		family Family
		want   string
		ttl    time.Duration
	}{
		{"two.test", Prefer4, "10.0.0.1 10.0.0.2", 30 * time.Second},
		{"TWO.test.", Only4, "10.0.0.1 10.0.0.2", 30 * time.Second},
		{"two.test", Only6, "2001:db8::1", 20 * time.Second},
		{"two.test", Both, "10.0.0.1 10.0.0.2 2001:db8::1", 20 * time.Second},
		{"six.test", Prefer4, "2001:db8::6", 30 * time.Second},
		{"six.test", Only4, "none", MinTTL},
		{"gone.test", Prefer4, "none", 7 * time.Second}, // the SOA's minimum
	} {
		if got, ttl := lookup(t, r, c.name, c.family); got != c.want || ttl != c.ttl {
			t.Errorf("%s, family %d: %s for %s, want %s for %s", c.name, c.family, got, ttl, c.want, c.ttl)
		}
	}
}

func TestLookupAsksForIPv6OnlyWhereItCounts(t *testing.T) {
	r, s := start(t, "", "")
	s.Set(t, "a.test.", "a.test. 30 IN A 10.0.0.1")
	lookup(t, r, "a.test.", Prefer4)
	if d := cmp.Diff([]string{"udp A a.test."}, s.Asked()); d != "" {
		t.Error(d)
	}
}

func TestLookupFollowsAliasesAndTakesTheLeastTTL(t *testing.T) {
	r, s := start(t, "", "")
	s.Set(t, "a.test.", "a.test. 9 IN CNAME b.test.")
	s.Set(t, "b.test.", "b.test. 8 IN CNAME c.test.")
	s.Set(t, "c.test.", "c.test. 60 IN A 10.0.0.1")
	if got, ttl := lookup(t, r, "a.test", Only4); got != "10.0.0.1" || ttl != 8*time.Second {
		t.Errorf("got %s for %s", got, ttl)
	}
	s.Set(t, "c.test.", "c.test. 60 IN CNAME a.test.")
	if got, _ := lookup(t, r, "a.test", Only4); got != "none" {
		t.Errorf("a loop of aliases resolves to %s", got)
	}
}

func TestLookupBoundsTTL(t *testing.T) {
	r, s := start(t, "", "")
	s.Set(t, "short.test.", "short.test. 0 IN A 10.0.0.1")
	s.Set(t, "long.test.", "long.test. 604800 IN A 10.0.0.1")
	if _, ttl := lookup(t, r, "short.test", Only4); ttl != MinTTL {
		t.Errorf("0 s became %s", ttl)
	}
	if _, ttl := lookup(t, r, "long.test", Only4); ttl != MaxTTL {
		t.Errorf("a week became %s", ttl)
	}
}

func TestLookupTakesTCPWhenTruncated(t *testing.T) {
	r, s := start(t, "", "")
	var records []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("many.test. 30 IN A 10.0.1.%d", i))
	}
	s.Set(t, "many.test.", records...)
	a, err := r.Lookup(t.Context(), "many.test", Only4)
	if err != nil || len(a.Addrs) != 200 {
		t.Fatalf("%d addresses, %v", len(a.Addrs), err)
	}
	if d := cmp.Diff([]string{"udp A many.test.", "tcp A many.test."}, s.Asked()); d != "" {
		t.Error(d)
	}
}

func TestLookupUsesTheSearchList(t *testing.T) {
	r, s := start(t, "search demo.test test\noptions ndots:2\n", "")
	s.Set(t, "web.demo.test.", "web.demo.test. 30 IN A 10.0.0.1")
	s.Set(t, "db.test.", "db.test. 30 IN A 10.0.0.2")
	s.Set(t, "a.b.c.", "a.b.c. 30 IN A 10.0.0.3")
	for name, want := range map[string]string{"web": "10.0.0.1", "db": "10.0.0.2", "a.b.c": "10.0.0.3", "web.": "none"} {
		if got, _ := lookup(t, r, name, Only4); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if asked := s.Asked(); slices.Contains(asked, "udp A a.b.c.test.") {
		t.Errorf("a name with ndots dots was tried with a suffix first: %v", asked)
	}
}

func TestLookupReadsTheFilesAgainWhenTheyChange(t *testing.T) {
	r, s := start(t, "search one.test", "10.9.9.1 pinned # comment\n2001:db8::1 pinned\n")
	if got, ttl := lookup(t, r, "PINNED", Both); got != "10.9.9.1 2001:db8::1" || ttl != hostsTTL {
		t.Errorf("got %s for %s", got, ttl)
	}
	s.Set(t, "web.two.test.", "web.two.test. 30 IN A 10.0.0.1")
	if got, _ := lookup(t, r, "web", Only4); got != "none" {
		t.Errorf("got %s", got)
	}
	write(t, r.o.ResolvConf, "search another.test two.test")
	write(t, r.o.Hosts, "10.9.9.22 pinned\n")
	if got, _ := lookup(t, r, "web", Only4); got != "10.0.0.1" {
		t.Errorf("got %s after the search list changed", got)
	}
	if got, _ := lookup(t, r, "pinned", Only4); got != "10.9.9.22" {
		t.Errorf("got %s after the hosts file changed", got)
	}
}

func TestLookupNeedsNoServerForAddressesAndLocalhost(t *testing.T) {
	r, s := start(t, "", "")
	for name, want := range map[string]string{"10.1.2.3": "10.1.2.3", "::1": "::1", "localhost": "127.0.0.1", "x.LOCALHOST.": "127.0.0.1"} {
		if got, ttl := lookup(t, r, name, Prefer4); got != want || ttl != MaxTTL {
			t.Errorf("%s is %s for %s", name, got, ttl)
		}
	}
	if len(s.Asked()) != 0 {
		t.Errorf("asked %v", s.Asked())
	}
}

func TestLookupTellsFailureFromAbsence(t *testing.T) {
	r, s := start(t, "options attempts:3", "")
	s.Break(true)
	_, err := r.Lookup(t.Context(), "a.test", Only4)
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("got %v", err)
	}
	if n := len(s.Asked()); n != 3 {
		t.Errorf("%d attempts", n)
	}
}

func TestLookupGoesOnToTheNextServer(t *testing.T) {
	broken, works := dnstest.Start(t), dnstest.Start(t)
	broken.Break(true)
	works.Set(t, "a.test.", "a.test. 30 IN A 10.0.0.1")
	r := New(Options{Servers: []netip.AddrPort{broken.Addr, works.Addr}})
	if got, _ := lookup(t, r, "a.test.", Only4); got != "10.0.0.1" {
		t.Errorf("got %s", got)
	}
}

func TestLookupEndsWithItsContext(t *testing.T) {
	silent, udp := silentServer(t)
	r := New(Options{Servers: []netip.AddrPort{silent}, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.Lookup(ctx, "a.test.", Only4)
		done <- err
	}()
	// The question has arrived: the lookup waits for the answer.
	if _, _, err := udp.ReadFrom(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

func silentServer(t *testing.T) (netip.AddrPort, net.PacketConn) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	return netip.MustParseAddrPort(udp.LocalAddr().String()), udp
}
