package loop

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// readSize is the most that one read takes from a connection before others
// have their turn.
const readSize = 64 << 10

// epoll is the Linux backend.
type epoll struct {
	o        Options
	clock    monotonic
	loops    []*epollLoop
	accepted []atomic.Int64 // per loop: accepted connections it has
	next     int            // the loop that watches the next listener
}

func newEpoll(o Options) *epoll {
	return &epoll{o: o, clock: monotonic{time.Now()}, accepted: make([]atomic.Int64, o.Workers)}
}

// epollLoop is one event loop. Its goroutine owns all but inbox.
type epollLoop struct {
	e     *epoll
	index int
	log   *slog.Logger
	h     engine.Handler

	ep, wake int // descriptors: epoll, and eventfd to be woken by
	events   [512]unix.EpollEvent
	readBuf  []byte
	iov      [64]unix.Iovec
	msg      unix.Msghdr

	slots     []*conn  // by ConnID.Index; slot 0 is not used
	free      []uint32 // indexes of free slots
	pool      pool
	queue     []engine.ConnID // connections with something to report that epoll will not tell
	spare     []engine.ConnID // the queue's other backing array
	lingering []lingerer      // in order of their deadlines
	listeners []*epollListener

	inbox    inbox
	stopping bool
	ended    chan struct{}
}

// inbox is what other goroutines send to a loop.
type inbox struct {
	mu     sync.Mutex
	fns    []func()
	conns  []handover
	closed bool
	spare  inboxSpare
}

// inboxSpare are the arrays that the loop emptied, for the next round.
type inboxSpare struct {
	fns   []func()
	conns []handover
}

// handover is a connection that another loop accepted.
type handover struct {
	fd   int
	info engine.ConnInfo
}

func (e *epoll) newLoop(i int) (eventLoop, error) {
	l := &epollLoop{
		e: e, index: i, log: e.o.Log, readBuf: make([]byte, readSize),
		slots: []*conn{nil}, ended: make(chan struct{}),
	}
	var err error
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := l.control(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN, wakeID); err != nil {
		unix.Close(l.ep)
		unix.Close(l.wake)
		return nil, fmt.Errorf("watch eventfd: %w", err)
	}
	l.h = e.o.NewHandler(i, l)
	e.loops = append(e.loops, l)
	return l, nil
}

func (l *epollLoop) handler() engine.Handler { return l.h }
func (l *epollLoop) done() <-chan struct{}   { return l.ended }
func (l *epollLoop) stop()                   { l.post(func() { l.stopping = true }) }

// The user data of epoll is the ConnID, so that an event for a connection that
// is gone does not find its successor. What is no connection has generation 0:
// the eventfd, and listeners by their index from 1.
const wakeID engine.ConnID = 0

func (l *epollLoop) control(op, fd int, events uint32, id engine.ConnID) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(id), Pad: int32(id >> 32)}
	_, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(l.ep), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

func eventID(ev *unix.EpollEvent) engine.ConnID {
	return engine.ConnID(uint32(ev.Pad))<<32 | engine.ConnID(uint32(ev.Fd))
}

// run is the loop: wait, begin, report what happened, flush.
func (l *epollLoop) run() {
	defer close(l.ended)
	now := l.e.clock.now()
	l.h.Wake(now) // what NewHandler began may want timers
	next := l.h.Flush(now)
	for {
		n := l.wait(next)
		fns, conns := l.takeInbox()
		for i, f := range fns {
			f()
			fns[i] = nil
		}
		if l.stopping {
			l.shutdown(conns)
			return
		}
		now = l.e.clock.now()
		l.h.Wake(now)
		for _, c := range conns {
			l.adopt(c)
		}
		l.giveBack(fns, conns)
		l.report()
		for i := range l.events[:n] {
			l.dispatch(&l.events[i])
		}
		l.expire(now)
		next = l.h.Flush(now)
	}
}

// wait returns the number of events. It asks without blocking first: under
// load there is always something, and a raw system call spares the Go
// scheduler's bookkeeping.
func (l *epollLoop) wait(next time.Duration) int {
	p := uintptr(unsafe.Pointer(&l.events[0]))
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.ep), p, uintptr(len(l.events)), 0, 0, 0)
	if e == 0 && n > 0 {
		return int(n)
	}
	timeout := l.timeout(next)
	if timeout == 0 {
		return 0
	}
	n, _, e = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.ep), p, uintptr(len(l.events)), uintptr(timeout), 0, 0)
	if e != 0 { // EINTR: an iteration without events
		return 0
	}
	return int(n)
}

// timeout returns the milliseconds to sleep, rounded up because a timer must
// not fire early; -1 is forever.
func (l *epollLoop) timeout(next time.Duration) int {
	if len(l.queue) > 0 {
		return 0
	}
	if len(l.lingering) > 0 {
		next = min(next, l.lingering[0].until)
	}
	for _, a := range l.listeners {
		if a != nil && a.retry > 0 {
			next = min(next, a.retry)
		}
	}
	if next == engine.Never {
		return -1
	}
	ahead := next - l.e.clock.now()
	if ahead <= 0 {
		return 0
	}
	return int(min((ahead+time.Millisecond-1)/time.Millisecond, 1<<30))
}

// expire does what the loop itself has timers for.
func (l *epollLoop) expire(now time.Duration) {
	for len(l.lingering) > 0 && l.lingering[0].until <= now {
		if c := l.find(l.lingering[0].id); c != nil {
			l.discard(c)
		}
		l.lingering = l.lingering[1:]
	}
	if len(l.lingering) == 0 {
		l.lingering = nil
	}
	for _, a := range l.listeners {
		if a != nil && a.retry > 0 && a.retry <= now {
			a.resume()
		}
	}
}

func (l *epollLoop) dispatch(ev *unix.EpollEvent) {
	id := eventID(ev)
	if id>>32 != 0 {
		if c := l.find(id); c != nil {
			l.ready(c, ev.Events)
		}
		return
	}
	if id == wakeID {
		return // takeInbox has seen to it
	}
	if a := l.listeners[id.Index()-1]; a != nil {
		a.accept(acceptBatch)
	}
}

// post implements eventLoop.
func (l *epollLoop) post(f func()) bool {
	return l.send(func(in *inbox) { in.fns = append(in.fns, f) })
}

// send adds to the inbox and wakes the loop.
func (l *epollLoop) send(add func(in *inbox)) bool {
	in := &l.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	if add(in); len(in.fns)+len(in.conns) == 1 {
		one := uint64(1)
		syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.wake), uintptr(unsafe.Pointer(&one)), 8)
	}
	return true
}

func (l *epollLoop) takeInbox() ([]func(), []handover) {
	in := &l.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.fns)+len(in.conns) > 0 {
		// Under the lock: reading it later would swallow the wake-up of
		// what is sent meanwhile.
		var count uint64
		syscall.RawSyscall(syscall.SYS_READ, uintptr(l.wake), uintptr(unsafe.Pointer(&count)), 8)
	}
	fns, conns := in.fns, in.conns
	in.fns, in.conns = in.spare.fns, in.spare.conns
	in.spare = inboxSpare{}
	return fns, conns
}

func (l *epollLoop) giveBack(fns []func(), conns []handover) {
	clear(conns)
	l.inbox.mu.Lock()
	l.inbox.spare = inboxSpare{fns[:0], conns[:0]}
	l.inbox.mu.Unlock()
}

// shutdown closes all that the loop owns.
func (l *epollLoop) shutdown(conns []handover) {
	l.inbox.mu.Lock()
	l.inbox.closed = true
	conns = append(conns, l.inbox.conns...)
	l.inbox.mu.Unlock()
	for _, c := range conns {
		unix.Close(c.fd)
	}
	for _, c := range l.slots {
		if c != nil && c.fd >= 0 {
			unix.Close(c.fd)
		}
	}
	unix.Close(l.wake)
	unix.Close(l.ep)
}
