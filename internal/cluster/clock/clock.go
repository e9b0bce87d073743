// Package clock is time as goroutines that wait see it, so that tests decide
// what time it is (package clocktest). The engine has no use for it: drivers
// give it the time.
package clock

import "time"

// Clock tells the time and wakes who waits. Its methods may be called from any
// goroutine.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer that fires once, after d.
	NewTimer(d time.Duration) Timer
}

// Timer fires once on C unless stopped. Its owner alone uses it.
type Timer interface {
	C() <-chan time.Time
	Stop()
}

// System is the computer's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// NewTimer implements Clock.
func (System) NewTimer(d time.Duration) Timer { return system{time.NewTimer(d)} }

type system struct{ t *time.Timer }

func (s system) C() <-chan time.Time { return s.t.C }
func (s system) Stop()               { s.t.Stop() }
