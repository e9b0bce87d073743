package loop

import (
	"context"
	"errors"
	"net"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

var _ engine.Driver = (*portableLoop)(nil)

// find returns the connection that the handler may use.
func (l *portableLoop) find(id engine.ConnID) *socket {
	if i := id.Index(); int(i) < len(l.slots) {
		if s := l.slots[i]; s != nil && s.id == id {
			return s
		}
	}
	return nil
}

// Write implements engine.Driver. It copies as much as the buffer holds.
func (l *portableLoop) Write(id engine.ConnID, bufs [][]byte) int {
	s := l.find(id)
	if s == nil || s.c == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish || s.failed {
		return 0
	}
	taken := 0
	for _, b := range bufs {
		part := b[:min(len(b), writeBuffer-len(s.out))]
		s.out = append(s.out, part...)
		taken += len(part)
		if len(part) < len(b) {
			s.blocked = true
			break
		}
	}
	s.changed.Signal()
	return taken
}

// SetReading implements engine.Driver.
func (l *portableLoop) SetReading(id engine.ConnID, on bool) {
	s := l.find(id)
	if s == nil {
		return
	}
	s.paused = !on
	if !on {
		return
	}
	l.later = append(l.later, func() {
		s.show()
		s.proceed()
		if end := s.ending; end != nil && !s.paused {
			s.ending = nil
			end()
		}
	})
}

// Close implements engine.Driver.
func (l *portableLoop) Close(id engine.ConnID, how engine.How) {
	s := l.find(id)
	switch {
	case s == nil:
	case how == engine.Half:
		s.mu.Lock()
		s.finish = s.c != nil
		s.changed.Signal()
		s.mu.Unlock()
	case s.c != nil && how == engine.Clean:
		s.release()
		s.linger()
	default:
		s.release()
		s.abort()
	}
}

// Connect implements engine.Driver. Without an endpoint it fails: this driver
// has no clusters that balance by themselves.
func (l *portableLoop) Connect(t engine.Target) engine.ConnID {
	s := l.newSocket()
	if t.Endpoint == nil {
		l.later = append(l.later, func() { s.connected(nil, errors.New("no endpoint")) })
		return s.id
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	l.sockets.Go(func() {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", t.Endpoint.Addr.String())
		if !l.event(func() { s.connected(c, err) }) && err == nil {
			c.Close()
		}
	})
	return s.id
}

// connected reports the result of Connect.
func (s *socket) connected(c net.Conn, err error) {
	switch {
	case !s.alive() || s.l.stopping:
		if err == nil {
			c.Close()
		}
	case err != nil:
		s.release()
		s.l.h.Closed(s.id, engine.ConnectFailed)
	default:
		s.cancel = func() {}
		t := c.(*net.TCPConn)
		s.open(t, engine.ConnInfo{Remote: unmap(t.RemoteAddr()), Local: unmap(t.LocalAddr())})
	}
}

// Cluster implements engine.Driver.
func (l *portableLoop) Cluster(name string) engine.Cluster { return l.p.o.Cluster(name) }
