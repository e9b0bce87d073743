package drivertest

import (
	"time"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// script is a handler whose reactions a case sets, and which checks that every
// call keeps the contract.
type script struct {
	k *kit
	d engine.Driver // checked

	// The reactions; nil does nothing, and consumes all.
	onOpened   func(c engine.ConnID, in engine.ConnInfo)
	onReadable func(c engine.ConnID, b []byte) int
	onWritable func(c engine.ConnID)
	onClosed   func(c engine.ConnID, why engine.How)
	onFlush    func(now time.Duration) time.Duration

	opened     []engine.ConnID
	info       map[engine.ConnID]engine.ConnInfo
	closed     map[engine.ConnID]engine.How
	writable   int
	iterations int
	now        time.Duration

	life     map[engine.ConnID]life
	inDriver bool // inside a Driver method
	awake    bool // between Wake and Flush
}

// life is what the contract allows a connection.
type life uint8

const (
	none life = iota
	asked
	usable
	half // the peer's end of stream was told
	dead
)

func newScript(k *kit) *script {
	return &script{
		k: k, info: map[engine.ConnID]engine.ConnInfo{},
		closed: map[engine.ConnID]engine.How{}, life: map[engine.ConnID]life{},
	}
}

// enter begins every handler call.
func (s *script) enter(call string, c engine.ConnID, allowed ...life) (leave func()) {
	s.k.Lock()
	if s.inDriver {
		s.k.t.Errorf("%s inside a Driver method", call)
	}
	if !s.awake && call != "Wake" {
		s.k.t.Errorf("%s outside an iteration", call)
	}
	ok := len(allowed) == 0
	for _, l := range allowed {
		ok = ok || s.life[c] == l
	}
	if !ok {
		s.k.t.Errorf("%s of %x in state %d", call, uint64(c), s.life[c])
	}
	return s.k.Unlock
}

func (s *script) Wake(now time.Duration) {
	defer s.enter("Wake", 0)()
	if s.awake {
		s.k.t.Error("Wake without Flush before")
	}
	if now < s.now {
		s.k.t.Errorf("the clock went back from %v to %v", s.now, now)
	}
	s.now = now
	s.awake = true
	s.iterations++
}

func (s *script) Opened(c engine.ConnID, in engine.ConnInfo) {
	expected := asked
	if in.Listener != "" {
		expected = none
	}
	defer s.enter("Opened", c, expected)()
	if c>>32 == 0 {
		s.k.t.Errorf("ConnID %x without a generation", uint64(c))
	}
	s.life[c] = usable
	s.opened = append(s.opened, c)
	s.info[c] = in
	if s.onOpened != nil {
		s.onOpened(c, in)
	}
}

func (s *script) Readable(c engine.ConnID, b []byte) int {
	defer s.enter("Readable", c, usable, half)()
	if len(b) == 0 {
		s.k.t.Error("Readable without bytes")
	}
	n := len(b)
	if s.onReadable != nil {
		n = s.onReadable(c, b)
	}
	clear(b[:n]) // the contract allows to change what is consumed
	return n
}

func (s *script) Writable(c engine.ConnID) {
	defer s.enter("Writable", c, usable, half)()
	s.writable++
	if s.onWritable != nil {
		s.onWritable(c)
	}
}

func (s *script) Closed(c engine.ConnID, why engine.How) {
	switch why {
	case engine.Half:
		defer s.enter("Closed(half)", c, usable)()
		s.life[c] = half
	case engine.ConnectFailed:
		defer s.enter("Closed(connect-failed)", c, asked)()
		s.life[c] = dead
	default:
		defer s.enter("Closed("+why.String()+")", c, usable, half)()
		s.life[c] = dead
	}
	s.closed[c] = why
	if s.onClosed != nil {
		s.onClosed(c, why)
	}
}

func (s *script) Flush(now time.Duration) time.Duration {
	defer s.enter("Flush", 0)()
	if now != s.now {
		s.k.t.Errorf("Flush at %v after Wake at %v", now, s.now)
	}
	next := engine.Never
	if s.onFlush != nil {
		next = s.onFlush(now)
	}
	s.awake = false
	return next
}

// checkedDriver notes what the handler asks, so that the script knows what
// the driver may report.
type checkedDriver struct {
	s *script
	d engine.Driver
}

func (d *checkedDriver) enter() func() {
	d.s.inDriver = true
	return func() { d.s.inDriver = false }
}

func (d *checkedDriver) Write(c engine.ConnID, bufs [][]byte) int {
	defer d.enter()()
	size := 0
	for _, b := range bufs {
		size += len(b)
	}
	n := d.d.Write(c, bufs)
	if n < 0 || n > size {
		d.s.k.t.Errorf("Write took %d of %d bytes", n, size)
	}
	if l := d.s.life[c]; n > 0 && l != usable && l != half {
		d.s.k.t.Errorf("Write took %d bytes in state %d", n, l)
	}
	return n
}

func (d *checkedDriver) SetReading(c engine.ConnID, on bool) {
	defer d.enter()()
	d.d.SetReading(c, on)
}

func (d *checkedDriver) Close(c engine.ConnID, how engine.How) {
	defer d.enter()()
	if how != engine.Half {
		d.s.life[c] = dead
	}
	d.d.Close(c, how)
}

func (d *checkedDriver) Connect(t engine.Target) engine.ConnID {
	defer d.enter()()
	c := d.d.Connect(t)
	if c>>32 == 0 || d.s.life[c] != none {
		d.s.k.t.Errorf("Connect returned %x, which is not new", uint64(c))
	}
	d.s.life[c] = asked
	return c
}

func (d *checkedDriver) Cluster(name string) engine.Cluster { return d.d.Cluster(name) }

// pump writes a long run of the pattern to one connection, as the driver takes it.
type pump struct {
	s    *script
	c    engine.ConnID
	at   int // bytes written
	size int
	cuts func() int // length of the next slice
	bufs [][]byte
}

// run writes until the driver takes less than it is given, or all is written.
func (p *pump) run() {
	for p.at < p.size {
		p.bufs = p.bufs[:0]
		n := 0
		for range 1 + p.at%5 {
			part := patternAt(p.at+n, min(p.cuts(), p.size-p.at-n))
			p.bufs = append(p.bufs, part)
			n += len(part)
		}
		taken := p.s.d.Write(p.c, p.bufs)
		p.at += taken
		if taken < n {
			return
		}
	}
}
