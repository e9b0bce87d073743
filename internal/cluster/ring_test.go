package cluster

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

func endpoints(weights ...uint32) []*engine.Endpoint {
	var all []*engine.Endpoint
	for i, w := range weights {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		all = append(all, &engine.Endpoint{Addr: a, Weight: w})
	}
	return all
}

// points counts the points of each endpoint.
func points(ring []engine.RingPoint, n int) []int {
	out := make([]int, n)
	for _, p := range ring {
		out[p.Endpoint]++
	}
	return out
}

// spans returns the share of all hashes that each endpoint serves.
func spans(ring []engine.RingPoint, n int) []float64 {
	out := make([]float64, n)
	last := ring[len(ring)-1].Hash
	for _, p := range ring {
		out[p.Endpoint] += float64(p.Hash-last) / math.MaxUint64
		last = p.Hash
	}
	return out
}

func TestRingSizes(t *testing.T) {
	for _, c := range []struct {
		weights  []uint32
		min, max int
		want     string
	}{
		{[]uint32{1}, 1024, 1 << 16, "[1024]"},
		{[]uint32{1, 1, 1}, 1024, 1 << 16, "[342 342 342]"}, // a whole number each, at least 1024
		{[]uint32{1, 3}, 1024, 1 << 16, "[256 768]"},
		{[]uint32{1, 4_000_000_000}, 1024, 4096, "[1 4095]"}, // at most max, and one for each
		{[]uint32{1, 1, 1, 1}, 1, 2, "[1 1 1 1]"},
	} {
		ring := buildRing(endpoints(c.weights...), c.min, c.max)
		if got := fmt.Sprint(points(ring, len(c.weights))); got != c.want {
			t.Errorf("weights %v, %d to %d points: %s, want %s", c.weights, c.min, c.max, got, c.want)
		}
		for i := 1; i < len(ring); i++ {
			if ring[i].Hash < ring[i-1].Hash {
				t.Fatalf("weights %v: not sorted at %d", c.weights, i)
			}
		}
	}
	if buildRing(nil, 1024, 1024) != nil {
		t.Error("a ring without endpoints")
	}
}

func TestRingSharesFollowWeights(t *testing.T) {
	got := spans(buildRing(endpoints(1, 1, 2), 4096, 1<<16), 3)
	for i, want := range []float64{0.25, 0.25, 0.5} {
		if math.Abs(got[i]-want) > 0.05 {
			t.Errorf("endpoint %d serves %.3f of all hashes, want about %.2f", i, got[i], want)
		}
	}
}

func TestRingMovesOnlyTheShareOfWhatComes(t *testing.T) {
	owner := func(ring []engine.RingPoint, h uint64) int32 {
		for _, p := range ring {
			if p.Hash >= h {
				return p.Endpoint
			}
		}
		return ring[0].Endpoint
	}
	// 8 and 9 endpoints, with 128 points each.
	before, after := buildRing(endpoints(1, 1, 1, 1, 1, 1, 1, 1), 1024, 1<<16), buildRing(endpoints(1, 1, 1, 1, 1, 1, 1, 1, 1), 1152, 1<<16)
	moved := 0
	const hashes = 5000
	for i := range uint64(hashes) {
		h := i * 0x9e3779b97f4a7c15
		if a, b := owner(before, h), owner(after, h); a != b {
			moved++
			if b != 8 {
				t.Fatalf("hash %x moved from %d to %d, which was there before", h, a, b)
			}
		}
	}
	if share := float64(moved) / hashes; share < 0.05 || share > 0.2 {
		t.Errorf("%.3f moved, want about 1/9", share)
	}
}
