package proxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// startHAProxy is plain TCP with one thread: what a request costs when nobody
// looks at it. No logs. HAProxy refuses to start when maxconn needs more
// descriptors than it may have: two per connection and a few for itself.
func (i *Installed) startHAProxy(_ context.Context, s Setup) (*Process, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("getrlimit: %w", err)
	}
	config := fmt.Sprintf(`global
    nbthread 1
    maxconn %d
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend in
    bind %s
    default_backend out
backend out
    balance roundrobin
`, min(limit.Cur-200, 60_000)/2, s.Listen)
	for n, u := range s.Upstreams {
		config += fmt.Sprintf("    server s%d %s\n", n, u)
	}
	file := filepath.Join(s.Dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return StartPinned(s.Core, i.HAProxy, "-db", "-f", file)
}
