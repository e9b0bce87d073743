package dns

import (
	"bufio"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// settings is what the system's files say.
type settings struct {
	servers  []string // host:port
	names    func(name string) []string
	timeout  time.Duration // of one query
	attempts int
}

// stamped is a file's parsed content, read again when the file has changed.
type stamped[T any] struct {
	file     string
	modified time.Time
	size     int64
	value    T
}

// get returns what parse makes of the file; the zero value where there is no
// such file. What could not be parsed leaves the last value.
func (s *stamped[T]) get(parse func(file string) (T, error)) T {
	info, err := os.Stat(s.file)
	if err != nil {
		var none T
		s.value, s.modified = none, time.Time{}
		return none
	}
	if info.ModTime().Equal(s.modified) && info.Size() == s.size {
		return s.value
	}
	if v, err := parse(s.file); err == nil {
		s.value, s.modified, s.size = v, info.ModTime(), info.Size()
	}
	return s.value
}

// settings returns the servers to ask and how.
func (r *Resolver) settings() settings {
	r.mu.Lock()
	conf := r.conf.get(miekg.ClientConfigFromFile)
	r.mu.Unlock()
	if conf == nil {
		conf = &miekg.ClientConfig{Port: "53", Ndots: 1, Timeout: 5, Attempts: 2}
	}
	s := settings{
		names:    conf.NameList,
		timeout:  time.Duration(min(conf.Timeout, 30)) * time.Second,
		attempts: min(conf.Attempts, 5),
	}
	for _, server := range conf.Servers {
		s.servers = append(s.servers, net.JoinHostPort(server, conf.Port))
	}
	if len(s.servers) == 0 {
		// resolv.conf(5): without a nameserver line, the one on this machine.
		s.servers = []string{net.JoinHostPort("127.0.0.1", conf.Port)}
	}
	if len(r.o.Servers) > 0 {
		s.servers = s.servers[:0]
		for _, a := range r.o.Servers {
			s.servers = append(s.servers, a.String())
		}
	}
	if r.o.Timeout > 0 {
		s.timeout = r.o.Timeout
	}
	return s
}

// fromHosts returns the addresses that the hosts file has for the name.
func (r *Resolver) fromHosts(name string) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts.get(readHosts)[hostKey(name)]
}

func readHosts(file string) (map[string][]netip.Addr, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hosts := map[string][]netip.Addr{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			hosts[hostKey(name)] = append(hosts[hostKey(name)], a)
		}
	}
	return hosts, nil
}

func hostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
