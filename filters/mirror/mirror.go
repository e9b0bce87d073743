// Package mirror sends copies of a share of a route's requests to another
// cluster. Their replies are discarded and their failures stay invisible to
// the client; the proxy counts both.
package mirror

import (
	"fmt"
	"math"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Filter is the mirror filter.
type Filter struct{}

// config is its configuration: the cluster that gets the copies, and which
// share of the requests, in percent (0, 100]; absent: all.
type config struct {
	Cluster string   `json:"cluster"`
	Percent *float64 `json:"percent"`
}

// Name implements filter.Filter.
func (Filter) Name() string { return "mirror" }

// Parse implements filter.Filter.
func (Filter) Parse(raw []byte, _ codec.Protocol) (filter.Instance, error) {
	var c config
	if err := filter.Decode(raw, &c); err != nil {
		return nil, err
	}
	if c.Cluster == "" {
		return nil, fmt.Errorf("cluster: is empty")
	}
	m := &mirror{clusters: []string{c.Cluster}, below: math.MaxUint64}
	if c.Percent != nil {
		p := *c.Percent
		if !(p > 0 && p <= 100) {
			return nil, fmt.Errorf("percent: %v is not in (0, 100]", p)
		}
		if p < 100 {
			m.below = uint64(p / 100 * (1 << 63) * 2)
		}
	}
	return m, nil
}

// mirror copies a request if a random number is at most below.
type mirror struct {
	clusters []string
	below    uint64
}

// Refs implements filter.Instance.
func (*mirror) Refs() []codec.Ref { return nil }

// Clusters implements filter.Instance.
func (m *mirror) Clusters() []string { return m.clusters }

// OnRequest implements filter.RequestFilter.
func (m *mirror) OnRequest(x filter.Exchange) filter.Action {
	if m.below == math.MaxUint64 || x.Random() < m.below {
		x.Copy(0)
	}
	return filter.Continue
}

var _ filter.RequestFilter = (*mirror)(nil)
