package engine

import (
	"math/bits"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Result is how a request ended, as metrics tell it.
type Result uint8

// The results: what the upstream answered, then one per codec.Cause, then what
// has no answer.
const (
	ServedOK     Result = iota
	ServedError         // the application's exception
	ServedRefuse        // the server's framework refused it
	localResults        // + codec.Cause
)

// Gone: the client left first. OnewaySent: there is nothing to wait for.
const (
	Gone       = localResults + Result(codec.BadReply) + 1
	OnewaySent = Gone + 1
	Results    = int(OnewaySent) + 1
)

// LocalResult returns the Result of a local reply.
func LocalResult(c codec.Cause) Result { return localResults + Result(c) }

// codes are Istio's response_code and response_flags per Result; the flags
// are Envoy's (envoy/access_log, "Response Flags").
var codes = [Results]struct{ code, flags string }{
	ServedOK:     {"200", "-"},
	ServedError:  {"500", "-"},
	ServedRefuse: {"500", "-"},

	localResults + Result(codec.NoRoute):     {"404", "NR"},
	localResults + Result(codec.NoCluster):   {"503", "NC"},
	localResults + Result(codec.NoUpstream):  {"503", "UH"},
	localResults + Result(codec.ConnectFail): {"503", "UF"},
	localResults + Result(codec.Reset):       {"503", "UC"},
	localResults + Result(codec.TimedOut):    {"504", "UT"},
	localResults + Result(codec.Overflow):    {"503", "UO"},
	localResults + Result(codec.Limited):     {"429", "RL"},
	localResults + Result(codec.Denied):      {"403", "UAEX"},
	localResults + Result(codec.Fault):       {"503", "FI"},
	localResults + Result(codec.Unsupported): {"400", "DPE"},
	localResults + Result(codec.BadReply):    {"502", "UPE"},

	Gone:       {"0", "DC"},
	OnewaySent: {"200", "-"},
}

// Code returns Istio's response_code, which follows HTTP's classes.
func (r Result) Code() string { return codes[r].code }

// Flags returns Envoy's response flags, "-" for none.
func (r Result) Flags() string { return codes[r].flags }

// Histogram counts values in buckets of a quarter of a power of two.
type Histogram struct {
	Buckets [256]uint64 // see HistogramBound
	Sum     uint64
}

// Add counts one value ≥ 0.
func (h *Histogram) Add(v uint64) {
	h.Sum += v
	h.Buckets[bucket(v)]++
}

func bucket(v uint64) int {
	if v < 4 {
		return int(v)
	}
	e := bits.Len64(v) - 3
	return (e+1)<<2 | int(v>>e)&3
}

// HistogramBound returns the largest value that bucket i counts.
func HistogramBound(i int) uint64 {
	if i < 4 {
		return uint64(i)
	}
	e, quarter := i>>2-1, uint64(i&3)
	return (4+quarter+1)<<e - 1
}

// Merge adds what o counted.
func (h *Histogram) Merge(o *Histogram) {
	h.Sum += o.Sum
	for i, n := range o.Buckets {
		h.Buckets[i] += n
	}
}

// Count returns the number of values.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Buckets {
		n += c
	}
	return n
}

// SeriesKey names what a Series counts.
type SeriesKey struct {
	Listener, Route, Cluster string // Cluster is "" where none was chosen
}

// Series counts the requests of one route and cluster on one worker.
type Series struct {
	SeriesKey
	Inbound     bool
	Protocol    string
	Destination Destination
	Requests    [Results]uint64
	Duration    Histogram // µs, from arrival to the reply's decoding; 0 of one-way messages
	Request     Histogram // bytes, as arrived
	Response    Histogram // bytes, as the upstream sent them
}

// maxSeries bounds the label combinations of one worker; what comes after
// them is counted under the listener alone.
const maxSeries = 4096

// series returns what counts this key; it lives as long as the worker, so that
// a changed route table does not make counters jump back.
func (w *Worker) series(l *Listener, routeName, cluster string) *Series {
	key := SeriesKey{l.Name, routeName, cluster}
	if s := w.allSeries[key]; s != nil {
		return s
	}
	if len(w.allSeries) >= maxSeries {
		key = SeriesKey{Listener: l.Name, Route: "(more)"}
		if s := w.allSeries[key]; s != nil {
			return s
		}
	}
	s := &Series{SeriesKey: key, Inbound: l.Inbound, Protocol: l.Protocol.Traits().Name, Destination: l.Destination}
	w.allSeries[key] = s
	w.seriesOrder = append(w.seriesOrder, s)
	return s
}

// Event is something worth counting that is not a request's end.
type Event uint8

// The events. Each is a counter, and a log line at most once a second.
const (
	BadRequestBytes   Event = iota // a client's bytes were not decodable: its connection was closed
	BadReplyBytes                  // an upstream's bytes were not decodable
	TruncatedMessage               // a client's connection ended within a message
	ForeignProtocol                // a client's first bytes are another protocol
	SlowMessage                    // a client's message did not arrive in time
	SlowReader                     // a client did not read its replies
	ConnectionRefused              // over the listener's limit of connections
	LateReply                      // the reply came after the request was answered
	StrayReply                     // a reply that answers no request
	UpstreamReset                  // an upstream connection broke
	UpstreamConnectFailed
	UpstreamGoAway  // an upstream asked for no more requests
	HeartbeatMissed // an upstream did not answer heartbeats
	EditRefused     // a message had no place for an edit
	PushDropped     // a server's push had no client
	MirrorSent      // a copy was sent
	MirrorFailed    // a copy could not be sent or was not answered
	Panic           // a bug: the connection was closed
	Unread          // properties of a message could not be read: it went by the default route
	Events          = int(Unread) + 1
)

var eventNames = [Events]string{"bad_request_bytes", "bad_reply_bytes", "truncated_message", "foreign_protocol", "slow_message", "slow_reader",
	"connection_refused", "late_reply", "stray_reply", "upstream_reset", "upstream_connect_failed", "upstream_go_away",
	"heartbeat_missed", "edit_refused", "push_dropped", "mirror_sent", "mirror_failed", "panic", "unread"}

// String returns the event's name in metrics and logs.
func (e Event) String() string { return eventNames[e] }

// quiet events happen in normal operation and are not logged.
func (e Event) quiet() bool { return e == MirrorSent || e == UpstreamGoAway }

// note counts an event and logs it, at most once a second per kind.
func (w *Worker) note(e Event, args ...any) {
	if w.tally(e) {
		w.say(e, args...)
	}
}

// tally counts an event and reports whether it is to be logged now. Where an
// event may happen with every request, its caller asks before it builds the
// arguments of say, because that allocates.
func (w *Worker) tally(e Event) bool {
	w.events[e]++
	if e.quiet() {
		return false
	}
	if w.now < w.logNext[e] {
		w.logSkipped[e]++
		return false
	}
	return true
}

// say logs an event that tally said is to be logged.
func (w *Worker) say(e Event, args ...any) {
	w.logNext[e] = w.now + time.Second
	w.log.Warn(e.String(), append(args, "more", w.logSkipped[e])...)
	w.logSkipped[e] = 0
}

// Snapshot is a copy of a worker's counters.
type Snapshot struct {
	Series    []Series
	Events    [Events]uint64
	Requests  int // in flight
	Clients   map[string]int
	Upstreams map[string]int // connections per cluster
	Accepted  uint64
	Buffered  int // bytes waiting to be written
}

// Snapshot copies the counters; call it on the worker's goroutine.
func (w *Worker) Snapshot() Snapshot {
	s := Snapshot{Events: w.events, Requests: w.live, Accepted: w.accepted, Buffered: w.pending,
		Clients: map[string]int{}, Upstreams: map[string]int{}}
	for _, x := range w.seriesOrder {
		s.Series = append(s.Series, *x)
	}
	for name, l := range w.listeners { // what has no connection is shown with 0, for alerts
		s.Clients[name] = 0
		for cluster := range l.clusters {
			s.Upstreams[cluster] = 0
		}
	}
	for _, c := range w.conns {
		switch {
		case c == nil:
		case c.down != nil:
			s.Clients[c.down.lis.cfg.Name]++
		case c.up != nil:
			s.Upstreams[c.up.pool.cluster.name]++
		}
	}
	return s
}
