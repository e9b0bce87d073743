// Package route compiles a RouteConfiguration once and then finds the route of
// a request without allocating. The engine uses it per request; "aeraki
// explain" asks the same tables why a route did or did not match. Choosing
// among a route's clusters by weight, and endpoints, is the engine's.
package route

import (
	"math"
	"sort"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Table is a compiled RouteConfiguration. Immutable, shared by all workers.
type Table struct {
	Name   string
	Routes []*Route
	refs   []codec.Ref // what matches read; conditions hold indexes into it
	want   *codec.Want // refs, and what request filters and hash policies read
	reply  *codec.Want // what reply filters read
	index  index
}

// Route is one entry of a Table. Immutable.
type Route struct {
	Index    int // position in the table
	Name     string
	Clusters []WeightedCluster // at least one
	Total    uint64            // sum of the weights, > 0
	Timeout  time.Duration     // 0: none
	Hash     []HashPolicy
	// Requests and Replies are the route's filters by what they see, in order.
	Requests []BoundFilter
	Replies  []filter.ReplyFilter
	// CopyClusters are the clusters of all filters; BoundFilter.Base is where
	// those of one filter start.
	CopyClusters []string

	alternatives []alternative // one must hold; none: everything matches
}

// WeightedCluster is a cluster and its share of the route's requests.
type WeightedCluster struct {
	Name   string
	Weight uint32
}

// HashPolicy names a part of what a consistent-hash cluster hashes.
type HashPolicy struct {
	SourceAddress bool
	Ref           codec.Ref // unless SourceAddress
}

// BoundFilter is a request filter and where its clusters start.
type BoundFilter struct {
	Filter filter.RequestFilter
	Base   int
}

// Want is what decoders of requests must cover.
func (t *Table) Want() *codec.Want { return t.want }

// ReplyWant is what decoders of replies must cover.
func (t *Table) ReplyWant() *codec.Want { return t.reply }

// Clusters returns the names of all clusters that routes and their filters
// may use, sorted, each once.
func (t *Table) Clusters() []string {
	seen := map[string]bool{}
	for _, r := range t.Routes {
		for _, c := range r.Clusters {
			seen[c.Name] = true
		}
		for _, c := range r.CopyClusters {
			seen[c] = true
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Getter reads properties of the message that a codec.Decoder described.
type Getter interface {
	Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool)
}

// Matcher holds the property values of the request that is being matched, each
// read once. It belongs to one worker and is reused.
type Matcher struct {
	values []value
	stamp  uint32 // value i is of this request if values[i].stamp == stamp
}

type value struct {
	stamp   uint32
	ok      bool
	v       codec.Value
	decimal [20]byte // an Int's digits, where a rule compares text
}

func (m *Matcher) begin(n int) {
	if len(m.values) < n {
		m.values = make([]value, n)
	}
	if m.stamp++; m.stamp == 0 {
		clear(m.values)
		m.stamp = 1
	}
}

// Match returns the first route that matches the request, or nil.
func (t *Table) Match(mt *Matcher, g Getter, b []byte, m *codec.Message) *Route {
	mt.begin(len(t.refs))
	q := query{t: t, mt: mt, g: g, b: b, m: m}
	if t.index.routes == nil {
		for _, r := range t.Routes {
			if r.matches(&q) {
				return r
			}
		}
		return nil
	}
	return t.index.match(&q)
}

// query is one request being matched.
type query struct {
	t  *Table
	mt *Matcher
	g  Getter
	b  []byte
	m  *codec.Message
}

func (q *query) value(ref int) *value {
	v := &q.mt.values[ref]
	if v.stamp == q.mt.stamp {
		return v
	}
	v.stamp = q.mt.stamp
	v.v, v.ok = q.g.Get(q.b, q.m, q.t.refs[ref])
	if v.ok && v.v.IsInt && v.v.Bytes == nil {
		v.v.Bytes = appendInt(v.decimal[:0], v.v.Int)
	}
	return v
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		dst = append(dst, '-')
	}
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	start := len(dst)
	for {
		dst = append(dst, byte('0'+u%10))
		if u /= 10; u == 0 {
			break
		}
	}
	for i, j := start, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

func (r *Route) matches(q *query) bool {
	if len(r.alternatives) == 0 {
		return true
	}
	for i := range r.alternatives {
		if r.alternatives[i].holds(q) {
			return true
		}
	}
	return false
}

// index finds candidates by the value of one property, where most routes of a
// table compare that one for equality: a thousand methods cost one look-up.
type index struct {
	ref    int
	routes map[string][]int32 // exact value → positions, ascending
	rest   []int32            // positions that do not depend on it alone
}

func (x *index) match(q *query) *Route {
	var named []int32
	if v := q.value(x.ref); v.ok {
		named = x.routes[string(v.v.Bytes)] // does not allocate
	}
	rest := x.rest
	for len(named) > 0 || len(rest) > 0 {
		next := int32(math.MaxInt32)
		if len(named) > 0 {
			next = named[0]
		}
		if len(rest) > 0 && rest[0] < next {
			next, rest = rest[0], rest[1:]
		} else {
			named = named[1:]
		}
		if r := q.t.Routes[next]; r.matches(q) {
			return r
		}
	}
	return nil
}
