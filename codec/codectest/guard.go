package codectest

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// patience is how long one look at some bytes may take before it counts as an
// endless loop.
const patience = 30 * time.Second

// maxFailures is how many failures of one check are reported.
const maxFailures = 8

// enough is the panic that ends a check after that many.
type enough struct{}

// progress is what a check has come to.
type progress struct {
	failures int
	steps    atomic.Int64
	place    atomic.Pointer[place]
}

// place says what is being looked at; it is put into words when needed.
type place struct {
	format string
	args   []any
}

// at says what is being looked at, for reports.
func (p *progress) at(format string, args ...any) {
	p.steps.Add(1)
	p.place.Store(&place{format, args})
}

func (p *progress) where() string {
	if at := p.place.Load(); at != nil {
		return fmt.Sprintf(at.format, at.args...)
	}
	return "start"
}

func (s *suite) failf(format string, args ...any) {
	s.report(format, args...)
	if s.failures++; s.failures >= maxFailures {
		panic(enough{})
	}
}

// guard runs a check, reports its panic, and ends when no progress is made for
// the given time; the check's goroutine is lost then.
func (s *suite) guard(run func(*suite), patience time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil && p != any(enough{}) {
				s.report("%s: panic: %v\n%s", s.where(), p, debug.Stack())
			}
		}()
		if s.prepare() {
			run(s)
		}
	}()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for last := int64(-1); ; {
		select {
		case <-done:
			return
		case <-tick.C:
			steps := s.steps.Load()
			if steps == last {
				s.report("%s: no end after %v", s.where(), patience)
				return
			}
			last = steps
		}
	}
}
