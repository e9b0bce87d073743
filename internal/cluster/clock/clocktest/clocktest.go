// Package clocktest is a clock that stands still until a test moves it.
package clocktest

import (
	"slices"
	"sync"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/cluster/clock"
)

// Clock implements clock.Clock. The zero value is not ready; use New.
type Clock struct {
	mu      sync.Mutex
	changed sync.Cond
	now     time.Time
	timers  []*timer
}

// New returns a clock at an arbitrary time.
func New() *Clock {
	c := &Clock{now: time.Unix(1_000_000_000, 0)}
	c.changed.L = &c.mu
	return c
}

// Now implements clock.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// NewTimer implements clock.Clock.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{clock: c, at: c.now.Add(d), c: make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	c.fire()
	c.changed.Broadcast()
	return t
}

// Advance moves the clock and fires the timers whose time has come.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.fire()
}

// Waiting blocks until there is a timer that is due exactly or at most this
// far in the future, and returns how far.
func (c *Clock) Waiting(atMost time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for _, t := range c.timers {
			if d := t.at.Sub(c.now); d <= atMost {
				return d
			}
		}
		c.changed.Wait()
	}
}

// Timers returns how many timers wait.
func (c *Clock) Timers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

func (c *Clock) fire() {
	c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool {
		due := !t.at.After(c.now)
		if due {
			t.c <- c.now
		}
		return due
	})
}

type timer struct {
	clock *Clock
	at    time.Time
	c     chan time.Time
}

func (t *timer) C() <-chan time.Time { return t.c }

func (t *timer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.clock.timers = slices.DeleteFunc(t.clock.timers, func(o *timer) bool { return o == t })
}
