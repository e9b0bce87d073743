package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// retryBind is how often an address that could not be bound is tried again.
const retryBind = time.Second

// listeners keeps the open sockets in step with the configuration in force.
type listeners struct {
	server *loop.Server
	log    *slog.Logger

	mu     sync.Mutex
	config *engine.Config            // in force; nil before the first; guarded by mu
	open   map[string]netip.AddrPort // real addresses; guarded by mu
	failed map[string]error          // why a listener is not open; guarded by mu
	closed bool                      // draining: nothing is opened any more; guarded by mu
}

func newListeners(s *loop.Server, log *slog.Logger) *listeners {
	return &listeners{server: s, log: log, open: map[string]netip.AddrPort{}, failed: map[string]error{}}
}

// apply puts a configuration into force: listeners that are no more stop
// accepting, then the workers switch, then new listeners open, so that no
// connection is accepted that no worker knows what to do with.
func (l *listeners) apply(c *engine.Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	wanted := map[string]netip.AddrPort{}
	for _, lc := range c.Listeners {
		wanted[lc.Name] = lc.Address
	}
	if l.config != nil {
		for _, lc := range l.config.Listeners {
			if wanted[lc.Name] != lc.Address {
				l.server.Unlisten(lc.Name)
				delete(l.open, lc.Name)
				delete(l.failed, lc.Name)
			}
		}
	}
	if err := l.server.Do(context.Background(), func(_ int, h engine.Handler) { h.(*engine.Worker).Configure(c) }); err != nil {
		l.log.Error("configure", "error", err)
		return
	}
	l.config = c
	l.openMissing()
	l.log.Info("configuration in force", "version", c.Version, "listeners", len(c.Listeners))
}

// openMissing opens what is not open yet.
func (l *listeners) openMissing() {
	for _, lc := range l.config.Listeners {
		if _, ok := l.open[lc.Name]; ok {
			continue
		}
		addr, err := l.server.Listen(lc.Name, lc.Address)
		if err != nil {
			if l.failed[lc.Name] == nil {
				l.log.Error("listener not open, trying again", "error", err)
			}
			l.failed[lc.Name] = err
			continue
		}
		delete(l.failed, lc.Name)
		l.open[lc.Name] = addr
		l.log.Info("listening", "listener", lc.Name, "address", addr.String())
	}
}

// retry tries addresses again that could not be bound, until ctx ends.
func (l *listeners) retry(ctx context.Context) {
	tick := time.NewTicker(retryBind)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if len(l.failed) > 0 && !l.closed {
			l.openMissing()
		}
		l.mu.Unlock()
	}
}

// close stops accepting for good.
func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for name := range l.open {
		l.server.Unlisten(name)
	}
}

// ready returns why the proxy does not serve all that it should; nil if it does.
func (l *listeners) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return errors.New("draining")
	case l.config == nil:
		return errors.New("no configuration from the control plane yet")
	}
	var errs []error
	for _, err := range l.failed {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("not all listeners are open: %w", err)
	}
	return nil
}

// inForce returns the configuration and the real addresses.
func (l *listeners) inForce() (*engine.Config, map[string]netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make(map[string]netip.AddrPort, len(l.open))
	for name, addr := range l.open {
		open[name] = addr
	}
	return l.config, open
}
