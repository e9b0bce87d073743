//go:build unix

package drivertest

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Silent implements Harness: a listener that never accepts and whose backlog
// is full, so that the kernel drops whoever connects.
func (s *Sockets) Silent() engine.Target {
	must := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	open := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		must(err)
		must(unix.SetNonblock(fd, true))
		s.t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	l := open()
	must(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(l, 0))
	sa, err := unix.Getsockname(l)
	must(err)
	in := sa.(*unix.SockaddrInet4)
	for range 4 {
		_ = unix.Connect(open(), in)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	return engine.Target{Cluster: "kit", Endpoint: &engine.Endpoint{Addr: addr, Weight: 1}}
}
