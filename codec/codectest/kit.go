package codectest

import (
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// Kit is what a protocol provides.
type Kit struct {
	// Protocol is the one to be tested.
	Protocol codec.Protocol
	// Captures holds *.frames files; see LoadCaptures.
	Captures fs.FS
	// Keys are keys that keyed properties have in the captures. Each is tried
	// with each family, beside one that is never there.
	Keys []string
	// Limits are those under which the captures must be decodable; zero:
	// codec.DefaultLimits.
	Limits codec.Limits
}

// check is one promise that codecs make.
type check struct {
	name string
	run  func(*suite)
}

var checks = []check{
	{"description", (*suite).checkDescription},
	{"whole", (*suite).checkWhole},
	{"wanted", (*suite).checkWanted},
	{"split", (*suite).checkSplit},
	{"stream", (*suite).checkStream},
	{"limits", (*suite).checkLimits},
	{"hostile lengths", (*suite).checkHostileLengths},
	{"random bytes", (*suite).checkRandom},
	{"numbers", (*suite).checkNumbers},
	{"local replies", (*suite).checkReplies},
	{"heartbeats", (*suite).checkHeartbeats},
	{"go away", (*suite).checkGoAway},
	{"mutation", (*suite).checkMutation},
	{"allocations", (*suite).checkAllocations},
	{"sniffing", (*suite).checkSniffing},
}

// patience is how long one look at some bytes may take before it counts as an
// endless loop.
const patience = 30 * time.Second

// Run tests the protocol, one subtest per promise.
func Run(t *testing.T, k Kit) {
	t.Helper()
	captures, err := LoadCaptures(k.Captures)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			s := newSuite(k, captures)
			s.report = t.Errorf
			s.guard(c.run, patience)
		})
	}
}

// maxFailures is how many failures of one check are reported.
const maxFailures = 8

// enough is the panic that ends a check after that many.
type enough struct{}

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

// at says what is being looked at, for reports.
func (s *suite) at(format string, args ...any) {
	s.steps.Add(1)
	s.place.Store(&place{format, args})
}

func (s *suite) where() string {
	if p := s.place.Load(); p != nil {
		return fmt.Sprintf(p.format, p.args...)
	}
	return "start"
}

type place struct {
	format string
	args   []any
}

// suite is the state of one check.
type suite struct {
	kit      Kit
	captures []Capture
	report   func(format string, args ...any)
	failures int
	steps    atomic.Int64
	place    atomic.Pointer[place]

	p      codec.Protocol
	refs   []codec.Ref // every property, keyed ones with every key
	all    *codec.Want
	edits  [][]codec.Edit // tried on every message
	frames []*frame
	patch  wire.Patch // used again, as the engine does
	buffer []byte
}

func newSuite(k Kit, captures []Capture) *suite {
	if k.Limits == (codec.Limits{}) {
		k.Limits = codec.DefaultLimits()
	}
	s := &suite{kit: k, captures: captures, p: k.Protocol}
	for i, p := range k.Protocol.Properties() {
		if !p.Keyed {
			s.refs = append(s.refs, codec.Ref{Property: i})
			continue
		}
		for _, key := range k.Keys {
			s.refs = append(s.refs, codec.Ref{Property: i, Key: key})
		}
		s.refs = append(s.refs, codec.Ref{Property: i, Key: absentKey})
	}
	s.all = codec.NewWant(s.refs...)
	s.edits = s.makeEdits()
	return s
}

// absentKey is a key that no capture has.
const absentKey = "codectest-absent"

// refName names a property for reports.
func (s *suite) refName(r codec.Ref) string { return codec.RefName(s.p.Properties(), r) }
