package poll

import (
	"io"

	"golang.org/x/sys/unix"
)

// Stream is one connection: it keeps the part of a message that has not
// arrived whole and the bytes that the socket did not take. A stream that
// never needed either owns no buffer; one that did keeps it, because nothing is
// collected during a measurement.
type Stream struct {
	FD       int
	rest     []byte
	unsent   []byte
	watching bool
}

// Close closes the socket, which also removes it from its poller.
func (s *Stream) Close() { unix.Close(s.FD) }

// Read receives once into buf, behind what Keep kept, and returns all of it.
// ErrAgain when nothing was there, io.EOF at the end of the stream.
func (s *Stream) Read(buf []byte) ([]byte, error) {
	n := copy(buf, s.rest)
	m, err := Recv(s.FD, buf[n:])
	if err != nil {
		return nil, err
	}
	if m == 0 {
		return nil, io.EOF
	}
	s.rest = s.rest[:0]
	return buf[:n+m], nil
}

// Keep copies the bytes that the next Read is to begin with.
func (s *Stream) Keep(b []byte) { s.rest = append(s.rest, b...) }

// Write sends b after whatever is unsent; what the socket does not take is
// copied and goes out with Flush, when the poller reports it writable.
func (s *Stream) Write(p *Poller, b []byte) error {
	if len(s.unsent) == 0 {
		n, err := Send(s.FD, b)
		if err != nil && err != ErrAgain {
			return err
		}
		b = b[n:]
	}
	s.unsent = append(s.unsent, b...)
	return s.watch(p)
}

// Flush sends what Write left.
func (s *Stream) Flush(p *Poller) error {
	for len(s.unsent) > 0 {
		n, err := Send(s.FD, s.unsent)
		if err == ErrAgain {
			break
		}
		if err != nil {
			return err
		}
		s.unsent = s.unsent[:copy(s.unsent, s.unsent[n:])]
	}
	return s.watch(p)
}

func (s *Stream) watch(p *Poller) error {
	want := len(s.unsent) > 0
	if want == s.watching {
		return nil
	}
	s.watching = want
	return p.WatchWrites(s.FD, want)
}
