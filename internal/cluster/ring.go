package cluster

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Sizes of hash rings, in points of 16 bytes.
const (
	DefaultMinRing = 1024
	DefaultMaxRing = 1 << 16
	// MaxRing is the largest size that a configuration may ask for.
	MaxRing = 1 << 20
)

// buildRing places every endpoint on the ring, as often as its weight says, at
// the hashes of its address and a running number: an endpoint that comes or
// goes moves only its own share of requests, and all proxies agree. As in
// Envoy, the ring has at least minSize points where that makes the lightest
// endpoint's share a whole number, at most maxSize, and at least one for each.
func buildRing(endpoints []*engine.Endpoint, minSize, maxSize int) []engine.RingPoint {
	if len(endpoints) == 0 {
		return nil
	}
	var total float64
	lightest := uint32(math.MaxUint32)
	for _, e := range endpoints {
		total += float64(e.Weight)
		lightest = min(lightest, e.Weight)
	}
	share := float64(lightest) / total
	scale := min(math.Ceil(share*float64(minSize))/share, float64(maxSize))
	ring := make([]engine.RingPoint, 0, int(scale)+len(endpoints))
	var target, placed float64
	var key []byte
	for i, e := range endpoints {
		target += scale * float64(e.Weight) / total
		key = e.Addr.AppendTo(key[:0])
		address := len(key)
		for n := 0; n == 0 || placed+0.5 < target; n++ {
			key = strconv.AppendInt(append(key[:address], '_'), int64(n), 10)
			ring = append(ring, engine.RingPoint{Hash: xxhash.Sum64(key), Endpoint: int32(i)})
			placed++
		}
	}
	slices.SortFunc(ring, func(a, b engine.RingPoint) int {
		return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return ring
}
