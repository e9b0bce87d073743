package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

var _ engine.Driver = (*epollLoop)(nil)

// Write implements engine.Driver. It sends at once; nothing is buffered here.
func (l *epollLoop) Write(id engine.ConnID, bufs [][]byte) int {
	c := l.usable(id)
	if c == nil || c.state != open || c.broken {
		return 0
	}
	taken := 0
	for len(bufs) > 0 {
		part := bufs[:min(len(bufs), len(l.iov))]
		bufs = bufs[len(part):]
		size := 0
		for _, b := range part {
			size += len(b)
		}
		if size == 0 {
			continue
		}
		if c.blocked {
			return taken // epoll has not said yet that there is room
		}
		n, e := l.send1(c.fd, part)
		switch {
		case e == syscall.EAGAIN || e == syscall.ENOBUFS:
			n = 0
		case e != 0:
			c.broken = true
			l.enqueue(c)
			return taken
		}
		taken += n
		if n < size {
			c.blocked = true
			l.watch(c)
			return taken
		}
	}
	return taken
}

// send1 makes one system call for up to len(l.iov) slices.
func (l *epollLoop) send1(fd int, bufs [][]byte) (int, syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	k := 0
	for _, b := range bufs {
		if len(b) > 0 {
			l.iov[k].Base = &b[0]
			l.iov[k].SetLen(len(b))
			k++
		}
	}
	var n uintptr
	e := syscall.EINTR
	for e == syscall.EINTR {
		if k == 1 { // by far the most frequent, and cheaper
			n, _, e = syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
				uintptr(unsafe.Pointer(l.iov[0].Base)), uintptr(l.iov[0].Len), flags, 0, 0)
			continue
		}
		l.msg.Iov = &l.iov[0]
		l.msg.SetIovlen(k)
		n, _, e = syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&l.msg)), flags)
	}
	clear(l.iov[:k])
	return int(n), e
}

// SetReading implements engine.Driver.
func (l *epollLoop) SetReading(id engine.ConnID, on bool) {
	c := l.usable(id)
	if c == nil {
		return
	}
	c.paused = !on
	if c.state != open || !on {
		return
	}
	l.watch(c)
	l.enqueue(c) // whether bytes are kept shows only when Readable has returned
}

// Close implements engine.Driver.
func (l *epollLoop) Close(id engine.ConnID, how engine.How) {
	c := l.usable(id)
	if c == nil {
		return
	}
	switch {
	case c.state != open:
		if how != engine.Half {
			l.discard(c)
		}
	case how == engine.Half:
		_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	case how == engine.Clean && !c.broken:
		l.linger(c)
	default:
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		l.discard(c)
	}
}

// linger ends a connection in order. Closing a socket that has unread bytes,
// or gets some later, makes Linux reset it, which destroys bytes on their way
// to the peer; so its input is read until the peer ends too.
func (l *epollLoop) linger(c *conn) {
	_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	if c.eof {
		l.discard(c)
		return
	}
	c.kept.release(&l.pool)
	c.state = lingering
	c.budget = lingerBytes
	c.blocked = false
	l.lingering = append(l.lingering, lingerer{c.id, l.e.clock.now() + lingerTime})
	l.watch(c)
}

// Connect implements engine.Driver. Without an endpoint it fails: this driver
// has no clusters that balance by themselves.
func (l *epollLoop) Connect(t engine.Target) engine.ConnID {
	c := l.newConn(-1, connected)
	if t.Endpoint == nil {
		c.broken = true
		l.enqueue(c)
		return c.id
	}
	err := l.connect(c, t)
	switch err {
	case nil:
		l.enqueue(c)
	case unix.EINPROGRESS:
		c.state = connecting
		l.watch(c)
		if c.broken {
			c.state = connected
		}
	default:
		c.broken = true
		l.enqueue(c)
	}
	return c.id
}

func (l *epollLoop) connect(c *conn, t engine.Target) error {
	family, sa := sockaddr(t.Endpoint.Addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c.fd = fd
	l.e.prepare(fd)
	return unix.Connect(fd, sa)
}

// prepare sets the options that every connection has.
func (e *epoll) prepare(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if n := e.o.SendBuffer; n > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n)
	}
}

// connectDone reports the result of Connect.
func (l *epollLoop) connectDone(c *conn) {
	id := c.id
	info := engine.ConnInfo{}
	ok := !c.broken
	if ok {
		e, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		ok = err == nil && e == 0
	}
	if ok {
		info.Local, info.Remote = localAddr(c.fd), remoteAddr(c.fd)
		// Connecting to a free port on the same host may, by simultaneous
		// open, meet itself. An unset remote address: reset already.
		ok = info.Local != info.Remote && info.Remote.IsValid()
	}
	if !ok {
		l.discard(c)
		l.h.Closed(id, engine.ConnectFailed)
		return
	}
	l.opened(c, info)
}

// opened reports a connection that can be used, and begins to watch it.
func (l *epollLoop) opened(c *conn, info engine.ConnInfo) {
	c.state = open
	id := c.id
	l.h.Opened(id, info)
	if l.usable(id) == c {
		l.watch(c)
	}
}

// Cluster implements engine.Driver.
func (l *epollLoop) Cluster(name string) engine.Cluster { return l.e.o.Cluster(name) }
