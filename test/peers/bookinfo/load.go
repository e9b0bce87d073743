package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A connection that is this far behind its schedule gives the missed requests up: after an
	// outage the rate goes on, without a burst.
	maxBehind = time.Second
	// reconnectPause keeps a client whose server is gone from spinning.
	reconnectPause = 20 * time.Millisecond
)

// load sends the requests of one client over all its connections.
type load struct {
	o       *clientOptions
	out     io.Writer
	report  *report
	session string // makes the tokens of two clients differ
	left    atomic.Int64
}

func newLoad(o *clientOptions, out io.Writer) *load {
	l := &load{o: o, out: out, report: newReport(), session: fmt.Sprintf("%08x", rand.Uint32())}
	l.left.Store(o.n)
	return l
}

// run returns when all requests are done, or those in flight when ctx was; the last line is printed.
func (l *load) run(ctx context.Context) {
	printed := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(printed)
		l.printIntervals(done)
	}()
	var workers sync.WaitGroup
	for i := range l.o.connections {
		workers.Go(func() { l.work(ctx, i) })
	}
	workers.Wait()
	close(done)
	<-printed
	l.out.Write(l.report.final())
}

func (l *load) printIntervals(done <-chan struct{}) {
	if l.o.stats <= 0 {
		return
	}
	tick := time.NewTicker(l.o.stats)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			l.out.Write(l.report.interval())
		}
	}
}

// work sends over one connection, one request after the other.
func (l *load) work(ctx context.Context, number int) {
	c := newShopper(l.o)
	defer c.caller.close()
	pace := newPace(l.o, number)
	for i := 0; l.take(); i++ {
		due, ok := pace.wait(ctx)
		if !ok {
			return
		}
		token := fmt.Sprintf("%s#%s.%d.%d", l.o.name, l.session, number, i)
		l.report.begin()
		a := c.call(token)
		l.report.end(a, time.Since(due))
		if l.o.print && a.text != "" {
			fmt.Fprintln(l.out, a.text)
		}
		if a.notConnected && !sleep(ctx, reconnectPause) {
			return
		}
	}
}

// take reports whether there is one more request to send.
func (l *load) take() bool { return l.o.n == 0 || l.left.Add(-1) >= 0 }

// pace is the schedule of one connection.
type pace struct {
	every time.Duration // 0: no schedule
	next  time.Time
}

func newPace(o *clientOptions, number int) *pace {
	if o.rate == 0 {
		return &pace{}
	}
	every := time.Duration(float64(o.connections) / o.rate * float64(time.Second))
	// The connections take turns.
	return &pace{every: every, next: time.Now().Add(every * time.Duration(number) / time.Duration(o.connections))}
}

// wait returns the time from which the next request's latency counts, false when ctx is done. With a
// rate this is when the request was due: a slow reply must not hide behind the requests it holds up.
func (p *pace) wait(ctx context.Context) (time.Time, bool) {
	now := time.Now()
	if p.every == 0 {
		return now, ctx.Err() == nil
	}
	if now.Sub(p.next) > maxBehind {
		p.next = now
	}
	due := p.next
	p.next = due.Add(p.every)
	return due, sleep(ctx, due.Sub(now))
}

// sleep returns false when ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
