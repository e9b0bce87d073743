package loop

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

const (
	backlog = 4096
	// acceptBatch is how many connections one iteration accepts, so that a
	// storm of them does not hold up the others.
	acceptBatch = 64
)

// epollListener is a listening socket. One loop watches it and hands
// connections to the loop that has the fewest.
type epollListener struct {
	l     *epollLoop
	fd    int
	name  string
	local netip.AddrPort
	id    engine.ConnID // generation 0, index from 1
	retry time.Duration // when to accept again after descriptors ran out; 0: accepting
	said  time.Duration // when rest last logged
}

func (e *epoll) listen(name string, addr netip.AddrPort) (acceptor, error) {
	l := e.loops[e.next%len(e.loops)]
	fd, err := e.listenSocket(addr)
	if err != nil {
		return nil, err
	}
	a := &epollListener{l: l, fd: fd, name: name, local: localAddr(fd)}
	if !wait(l, func() { err = a.begin() }) {
		err = ErrClosed
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	e.next++
	return a, nil
}

// listenSocket opens a socket whose options its connections inherit.
func (e *epoll) listenSocket(addr netip.AddrPort) (int, error) {
	family, sa := sockaddr(addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	e.prepare(fd)
	if family == unix.AF_INET6 && addr.Addr().IsUnspecified() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0) // [::] takes IPv4 too
	}
	if err = unix.Bind(fd, sa); err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// wait runs f on the loop and returns when it ran; false: the loop has ended.
func wait(l eventLoop, f func()) bool {
	ran := make(chan struct{})
	if !l.post(func() { f(); close(ran) }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-l.done():
		return false
	}
}

func (a *epollListener) addr() netip.AddrPort { return a.local }

// begin has the loop watch the socket; on the loop.
func (a *epollListener) begin() error {
	l := a.l
	i := 0
	for i < len(l.listeners) && l.listeners[i] != nil {
		i++
	}
	if i == len(l.listeners) {
		l.listeners = append(l.listeners, nil)
	}
	a.id = engine.ConnID(i + 1)
	if err := l.control(unix.EPOLL_CTL_ADD, a.fd, unix.EPOLLIN, a.id); err != nil {
		return err
	}
	l.listeners[i] = a
	return nil
}

// close implements acceptor.
func (a *epollListener) close() {
	wait(a.l, func() {
		a.accept(2 * backlog)
		unix.Close(a.fd)
		a.l.listeners[a.id.Index()-1] = nil
	})
}

// accept takes up to limit connections from the backlog; on the loop.
func (a *epollListener) accept(limit int) {
	for range limit {
		fd, sa, err := unix.Accept4(a.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
		case unix.EINTR, unix.ECONNABORTED:
			continue
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			a.rest(err)
			return
		default: // EAGAIN: the backlog is empty
			return
		}
		a.assign(handover{fd, engine.ConnInfo{Listener: a.name, Remote: addrPort(sa), Local: localAddr(fd)}})
	}
}

// assign gives the connection to the loop that has the fewest, by way of its
// inbox: also its own, because accept may run outside an iteration.
func (a *epollListener) assign(h handover) {
	e := a.l.e
	i := lightest(e.accepted, a.l.index)
	e.accepted[i].Add(1)
	if !e.loops[i].send(func(in *inbox) { in.conns = append(in.conns, h) }) {
		unix.Close(h.fd)
	}
}

// rest stops accepting for a moment: epoll would report the backlog for ever.
func (a *epollListener) rest(why error) {
	l := a.l
	now := l.e.clock.now()
	if a.said == 0 || now-a.said > acceptQuiet {
		a.said = now
		l.log.Error("cannot accept connections, trying again until it works", "listener", a.name, "error", why)
	}
	a.retry = now + acceptPause
	_ = l.control(unix.EPOLL_CTL_MOD, a.fd, 0, a.id)
}

// resume tries again after rest.
func (a *epollListener) resume() {
	before := a.retry
	a.accept(1)
	if a.retry == before { // it did not rest again
		a.retry = 0
		_ = a.l.control(unix.EPOLL_CTL_MOD, a.fd, unix.EPOLLIN, a.id)
	}
}

// adopt begins with a connection that was accepted.
func (l *epollLoop) adopt(h handover) {
	c := l.newConn(h.fd, open)
	c.accepted = true
	l.opened(c, h.info)
}

func sockaddr(a netip.AddrPort) (family int, sa unix.Sockaddr) {
	ip := a.Addr().Unmap()
	if ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	sa6 := &unix.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16()}
	if z := ip.Zone(); z != "" {
		sa6.ZoneId = zoneIndex(z)
	}
	return unix.AF_INET6, sa6
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func localAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

func remoteAddr(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

// zoneIndex returns the index of an IPv6 zone, a name or a number; 0 if there
// is none, which the system then refuses.
func zoneIndex(zone string) uint32 {
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}
