package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

type alarm struct {
	timer
	due   time.Duration
	fired time.Duration
	now   *time.Duration
}

func (a *alarm) expired(*Worker, *timer) { a.fired = *a.now }

func TestTimersFireOnceAtTheirTickAndNeverEarly(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var ts timers
	now := 12345678 * time.Nanosecond
	ts.advance(nil, now)
	alarms := make([]*alarm, 3000)
	for i := range alarms {
		span := time.Duration(1) << rnd.IntN(46) // up to 19 hours: beyond the wheel's span
		alarms[i] = &alarm{due: now + time.Duration(rnd.Int64N(int64(span)+1)), now: &now}
		ts.arm(&alarms[i].timer, alarms[i], alarms[i].due)
	}
	for i := 0; i < len(alarms); i += 7 {
		ts.cancel(&alarms[i].timer)
	}
	for steps := 0; ; steps++ {
		next := ts.next()
		if next == Never {
			break
		}
		if next <= now || steps > 1e6 {
			t.Fatalf("next is %v at %v", next, now)
		}
		now = next
		ts.advance(nil, now)
	}
	for i, a := range alarms {
		switch {
		case i%7 == 0:
			if a.fired != 0 {
				t.Fatalf("a cancelled timer fired")
			}
		case a.fired < a.due || a.fired > a.due+2*tick && a.due > 12345678*time.Nanosecond+tick:
			t.Fatalf("due %v, fired %v", a.due, a.fired)
		}
	}
}

func TestTimersSurviveALongSleep(t *testing.T) {
	var ts timers
	now := time.Duration(0)
	a, b := &alarm{now: &now}, &alarm{now: &now}
	ts.arm(&a.timer, a, 5*time.Millisecond)
	ts.arm(&b.timer, b, time.Hour)
	now = 30 * time.Minute
	ts.advance(nil, now)
	if a.fired == 0 || b.fired != 0 {
		t.Fatal(a.fired, b.fired)
	}
	now = time.Hour
	ts.advance(nil, now)
	if b.fired != time.Hour || ts.next() != Never {
		t.Fatal(b.fired, ts.next())
	}
}

func BenchmarkTimerArmCancel(b *testing.B) {
	var ts timers
	a := &alarm{}
	for i := range b.N {
		ts.arm(&a.timer, a, time.Duration(i)*time.Microsecond+15*time.Second)
		ts.cancel(&a.timer)
	}
}
