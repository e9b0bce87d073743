package codectest

import (
	"io/fs"
	"strconv"
	"testing"

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
	// with each family. Beside them the kit tries one that is never there and,
	// with families that can be edited, the names of all plain properties: what
	// goes by two names could be changed although it is immutable.
	Keys []string
	// Feeds names edits that may change more than what they name, because other
	// properties are read from there, and what else they may change:
	// {"header[host]": {"service"}}. The client's own deadline is Deadline.
	// What is not here must stay as it is.
	Feeds map[string][]string
	// Speaks lists protocols of which the kit has first bytes ("thrift",
	// "dubbo", "kafka", …) that this one is to take for its own.
	Speaks []string
	// Limits are those under which the captures must be decodable; zero:
	// codec.DefaultLimits.
	Limits codec.Limits
}

// Deadline names Message.Timeout in Kit.Feeds.
const Deadline = "Message.Timeout"

// check is one promise that codecs make.
type check struct {
	name string
	run  func(*suite)
}

var checks = []check{
	{"description", (*suite).checkDescription},
	{"coverage", (*suite).logCoverage},
	{"whole", (*suite).checkWhole},
	{"wanted", (*suite).checkWanted},
	{"split", (*suite).checkSplit},
	{"stream", (*suite).checkStream},
	{"growth", (*suite).checkGrowth},
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

// Run tests the protocol, one subtest per promise. The subtest "coverage"
// never fails: with -v it says what the captures do not show.
func Run(t *testing.T, k Kit) {
	t.Helper()
	captures, err := LoadCaptures(k.Captures)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			s := newSuite(k, captures)
			s.report, s.log = t.Errorf, t.Logf
			s.guard(c.run, patience)
		})
	}
}

// suite is the state of one check.
type suite struct {
	kit      Kit
	captures []Capture
	report   func(format string, args ...any)
	log      func(format string, args ...any)
	progress

	p          codec.Protocol
	properties []codec.Property
	refs       []codec.Ref // every property, keyed ones with every key
	names      map[codec.Ref]string
	all        *codec.Want
	edits      [][]codec.Edit // tried on every message
	frames     []*frame

	// Used again, as the engine does.
	patch       wire.Patch
	message     codec.Message
	origin      codec.Origin
	buffer      []byte
	scratch     []byte
	overwritten []byte
	text        []byte
	values      string // what text held last
	hostile     uint32 // what was written last over a length
	turn        int    // of the edits
}

func newSuite(k Kit, captures []Capture) *suite {
	if k.Limits == (codec.Limits{}) {
		k.Limits = codec.DefaultLimits()
	}
	s := &suite{kit: k, captures: captures, p: k.Protocol, properties: k.Protocol.Properties()}
	s.names = map[codec.Ref]string{}
	for i, p := range s.properties {
		for _, key := range s.keys(p) {
			r := codec.Ref{Property: i, Key: key}
			if s.names[r] == "" {
				s.refs = append(s.refs, r)
				s.names[r] = printable(codec.RefName(s.properties, r))
			}
		}
	}
	s.all = codec.NewWant(s.refs...)
	s.edits = s.commonEdits()
	return s
}

// keys returns what is tried as keys of a property; one empty key for a plain
// one.
func (s *suite) keys(p codec.Property) []string {
	if !p.Keyed {
		return []string{""}
	}
	keys := append([]string{absentKey, hostileKey}, s.kit.Keys...)
	if p.Mutable {
		for _, other := range s.properties {
			if !other.Keyed {
				keys = append(keys, other.Name)
			}
		}
	}
	return keys
}

// Keys that no capture has.
const (
	absentKey  = "codectest-absent"
	hostileKey = "codectest \"'\\;=:,\r\n\x00 é"
)

// printable shows what a terminal would not.
func printable(name string) string {
	q := strconv.Quote(name)
	return q[1 : len(q)-1]
}
