// Package poll is the least event loop that the load generator and the echo
// server need: level-triggered epoll and raw system calls on one thread.
//
// The calls bypass Go's scheduler, which costs more than it helps on the one
// core that both processes share. So nothing else may run in such a process:
// no other goroutine, and no garbage collection during a measurement.
package poll

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// longest bounds every wait, so that a stop request is seen and a test's
// garbage collector is not held up for longer.
const longest = 50 * time.Millisecond

// Event is one file descriptor that is ready.
type Event struct {
	FD                 int
	Readable, Writable bool // both when the peer hung up
}

// Poller watches file descriptors. It belongs to one goroutine.
type Poller struct {
	fd     int
	raw    [256]unix.EpollEvent
	events []Event
}

// New makes a poller; Close frees it.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &Poller{fd: fd, events: make([]Event, 0, 256)}, nil
}

// Close closes the poller, not what it watches.
func (p *Poller) Close() { unix.Close(p.fd) }

// Add watches fd for reading.
func (p *Poller) Add(fd int) error { return p.control(unix.EPOLL_CTL_ADD, fd, false) }

// WatchWrites watches fd for writing as well, or no longer.
func (p *Poller) WatchWrites(fd int, on bool) error { return p.control(unix.EPOLL_CTL_MOD, fd, on) }

func (p *Poller) control(op, fd int, writes bool) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if writes {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Wait blocks until something is ready or for at most d (never longer than 50
// ms). The slice is valid until the next call.
func (p *Poller) Wait(d time.Duration) ([]Event, error) {
	ts := unix.NsecToTimespec(int64(min(max(d, 0), longest)))
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.raw[0])),
		uintptr(len(p.raw)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	p.events = p.events[:0]
	if e == unix.EINTR {
		return p.events, nil
	}
	if e != 0 {
		return nil, fmt.Errorf("epoll_pwait2 (Linux 5.11 or later): %w", e)
	}
	for _, ev := range p.raw[:n] {
		p.events = append(p.events, Event{
			FD:       int(ev.Fd),
			Readable: ev.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			Writable: ev.Events&unix.EPOLLOUT != 0,
		})
	}
	return p.events, nil
}

// ErrAgain says that a call would have blocked.
var ErrAgain = errors.New("would block")

// Recv reads what is there; 0 without an error is the end of the stream.
func Recv(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
}

// Send writes what fits.
func Send(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_SENDTO, fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func transfer(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	n, _, e := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	switch e {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, ErrAgain
	}
	return 0, e
}

// Dial connects to host:port and returns a non-blocking socket without Nagle's
// delay. The caller closes it.
func Dial(addr string) (int, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return duplicate(c.(*net.TCPConn))
}

// Listen returns a non-blocking listening socket on host:port and its address.
func Listen(addr string) (int, netip.AddrPort, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	defer l.Close()
	fd, err := duplicate(l.(*net.TCPListener))
	return fd, l.Addr().(*net.TCPAddr).AddrPort(), err
}

// duplicate takes the socket away from Go's own poller.
func duplicate(s interface{ File() (*os.File, error) }) (int, error) {
	f, err := s.File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, fmt.Errorf("dup: %w", err)
	}
	return fd, unix.SetNonblock(fd, true)
}

// Accept takes one connection off a listening socket; ErrAgain when none waits.
func Accept(fd int) (int, error) {
	c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err == unix.EAGAIN {
		return 0, ErrAgain
	}
	if err != nil {
		return 0, fmt.Errorf("accept: %w", err)
	}
	return c, unix.SetsockoptInt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// PreciseTimers takes away the 50 µs by which Linux may round up this thread's
// waits: as much as the interval between two requests of the open loop.
func PreciseTimers() error {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_TIMERSLACK): %w", err)
	}
	return nil
}
