// Package xdsclient keeps the proxy's configuration as the control plane says,
// over one delta ADS stream. Messages are parsed once, strictly, into plain
// structs; what is bad is refused (NACKed) and the last good form stays. New
// routes come into force when the clusters that they name are there. While the
// control plane is away, what is in force stays.
//
// One goroutine owns all state; a stream's goroutines only move messages.
package xdsclient

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/internal/cluster"
	"github.com/aeraki-mesh/aeraki/internal/cluster/clock"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

const (
	// Attempts to connect follow each other after firstRetry, doubling up to
	// lastRetry, each shortened at random by up to a half so that a thousand
	// proxies do not come back in the same instant.
	firstRetry, lastRetry = 100 * time.Millisecond, 10 * time.Second
	// steady is how long a stream must live, or until the server says
	// something, to count as connected: one that is refused at once is not.
	steady = time.Second
	// maxOutbox is how many requests may wait to be sent before no more
	// responses are read.
	maxOutbox = 64
)

// Options configures a Client. All fields are set before Start and not changed.
type Options struct {
	Node    *corev3.Node // what the proxy says of itself
	Address string       // "unix:/path", or IP and port
	// Clusters receives clusters and endpoints; the client is its only writer
	// and the only reader of BecameReady. It is not closed.
	Clusters  *cluster.Directory
	Protocols []codec.Protocol
	Filters   []filter.Filter
	// Source is the proxy's own workload: who calls on outbound listeners.
	Source route.Source
	// Gateways names the listeners that any workload may call though they are
	// outbound.
	Gateways []string
	// Apply receives each new configuration, sorted and immutable, from the
	// client's goroutine; it must not wait for the client. It is called only
	// when something changed, and not before the first listener is ready.
	Apply func(*engine.Config)

	// What follows has defaults.

	// WarmingBound is how long new routes wait for their clusters; 15 s.
	WarmingBound time.Duration
	// Dial connects to Address.
	Dial   func(ctx context.Context, address string) (net.Conn, error)
	Clock  clock.Clock
	Random func() float64 // in [0, 1)
	Log    *slog.Logger
}

func (o *Options) setDefaults() error {
	if o.Node == nil || o.Address == "" || o.Clusters == nil || o.Apply == nil {
		return errors.New("xdsclient: Node, Address, Clusters and Apply must be set")
	}
	if o.WarmingBound == 0 {
		o.WarmingBound = 15 * time.Second
	}
	if o.Dial == nil {
		o.Dial = dial
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

func (o *Options) protocols() map[string]codec.Protocol {
	m := make(map[string]codec.Protocol, len(o.Protocols))
	for _, p := range o.Protocols {
		m[p.Traits().Name] = p
	}
	return m
}

// Client is a running client. Its methods may be called from any goroutine.
type Client struct {
	o    Options
	stop chan struct{}
	ask  chan chan Status
	done chan struct{}
	last Status // set before done is closed

	// What follows belongs to run.

	state     *state
	stream    *stream
	subs      subscriptions
	outbox    []*discoveryv3.DeltaDiscoveryRequest
	opened    <-chan struct{} // nil once it was seen
	open      bool
	steadyAt  time.Time // when an open stream counts as connected; zero: not open, or it does
	retryAt   time.Time // zero: a stream is there
	attempts  int       // since the last connection
	connected bool
	since     time.Time
	err       error // why it is not connected

	timer   clock.Timer
	timerAt time.Time
}

// Start begins to connect and returns. Close ends it.
func Start(o Options) (*Client, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	c := &Client{o: o, stop: make(chan struct{}), ask: make(chan chan Status), done: make(chan struct{})}
	c.state = newState(&c.o)
	c.since = o.Clock.Now()
	go c.run()
	return c, nil
}

// Close ends the connection and waits until nothing of the client runs. What
// is in force stays. It is called once.
func (c *Client) Close() {
	close(c.stop)
	<-c.done
}

func (c *Client) run() {
	defer close(c.done)
	c.connect()
	for c.step() {
	}
	if c.stream != nil {
		c.stream.cancel()
		<-c.stream.ended
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.last = c.status()
	c.last.Connected = false
}

// step waits for one event and handles it; false: the client was closed.
func (c *Client) step() bool {
	var received <-chan *discoveryv3.DeltaDiscoveryResponse
	var send chan<- *discoveryv3.DeltaDiscoveryRequest
	var next *discoveryv3.DeltaDiscoveryRequest
	var ended <-chan error
	if c.stream != nil {
		ended = c.stream.ended
		if len(c.outbox) < maxOutbox {
			received = c.stream.received
		}
		if c.open && len(c.outbox) > 0 {
			send, next = c.stream.send, c.outbox[0]
		}
	}
	select {
	case <-c.stop:
		return false
	case reply := <-c.ask:
		reply <- c.status()
	case <-c.opened:
		c.onOpen()
	case err := <-ended:
		c.onEnd(err)
	case r := <-received:
		c.onResponse(r)
	case send <- next:
		c.outbox = c.outbox[1:]
	case <-c.o.Clusters.BecameReady():
		c.settle()
	case <-c.wait():
		c.onTime()
	}
	return true
}

// wait returns the channel of the timer for what is due next.
func (c *Client) wait() <-chan time.Time {
	at := c.state.due()
	for _, t := range []time.Time{c.retryAt, c.steadyAt} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if !at.Equal(c.timerAt) {
		if c.timer != nil {
			c.timer.Stop()
		}
		c.timer, c.timerAt = nil, at
		if !at.IsZero() {
			c.timer = c.o.Clock.NewTimer(at.Sub(c.o.Clock.Now()))
		}
	}
	if c.timer == nil {
		return nil
	}
	return c.timer.C()
}

func (c *Client) onTime() {
	c.timer, c.timerAt = nil, time.Time{}
	now := c.o.Clock.Now()
	if !c.retryAt.IsZero() && !c.retryAt.After(now) {
		c.connect()
	}
	if !c.steadyAt.IsZero() && !c.steadyAt.After(now) {
		c.onConnected()
	}
	c.settle()
}

func (c *Client) connect() {
	c.retryAt = time.Time{}
	c.stream = open(&c.o)
	c.opened = c.stream.opened
}

func (c *Client) onOpen() {
	c.opened, c.open = nil, true
	c.steadyAt = c.o.Clock.Now().Add(steady)
	c.outbox, c.subs = nil, subscriptions{}
	c.subscribe()
}

// onConnected is called when a stream has proven to work.
func (c *Client) onConnected() {
	c.steadyAt = time.Time{}
	c.attempts = 0
	if !c.connected {
		c.connected, c.since, c.err = true, c.o.Clock.Now(), nil
		c.o.Log.Info("connected to the control plane", "address", c.o.Address)
	}
}

func (c *Client) onEnd(err error) {
	now := c.o.Clock.Now()
	switch {
	case c.connected:
		c.since = now
		c.o.Log.Warn("lost the control plane; what is in force stays", "address", c.o.Address, "error", err)
	case c.err == nil:
		c.o.Log.Warn("the control plane cannot be reached; trying again", "address", c.o.Address, "error", err)
	}
	c.connected, c.open, c.err = false, false, err
	c.stream, c.opened, c.steadyAt, c.outbox = nil, nil, time.Time{}, nil
	c.retryAt = now.Add(c.backoff())
}

func (c *Client) backoff() time.Duration {
	d := lastRetry
	if c.attempts < 7 {
		d = min(lastRetry, firstRetry<<c.attempts)
	}
	c.attempts++
	return time.Duration(float64(d) * (1 - c.o.Random()/2))
}

func (c *Client) onResponse(r *discoveryv3.DeltaDiscoveryResponse) {
	if c.opened != nil {
		c.onOpen() // both were there; the order of a select is random
	}
	c.onConnected()
	err := c.state.response(r)
	c.outbox = append(c.outbox, answer(r, err))
	c.settle()
}

// settle brings into force what can be, and asks for what that needs.
func (c *Client) settle() {
	c.state.settle()
	c.subscribe()
}
