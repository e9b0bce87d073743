package engine

import (
	"slices"
	"testing"
)

func TestPickerIsExactInEveryRoundAndSpread(t *testing.T) {
	for _, weights := range [][]uint32{{20, 80}, {1}, {1, 1, 1}, {0, 5}, {99, 1}, {3, 0, 7, 90}, {50, 50}, {1 << 31, 1 << 31}} {
		p := newPicker(weights, 12345)
		if p.total > 1000 {
			for range 1000 {
				p.next()
			}
			continue
		}
		for round := range 3 {
			got := make([]uint32, len(weights))
			for range p.total {
				got[p.next()]++
			}
			if !slices.Equal(got, weights) && len(weights) > 1 {
				t.Errorf("round %d of %v gave %v", round, weights, got)
			}
		}
	}
	p, run, longest := newPicker([]uint32{50, 50}, 7), 0, 0
	for range 100 {
		if run++; p.next() == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 4 {
		t.Errorf("%d picks of one half in a row", longest)
	}
}

func TestPickersStartAtDifferentPhases(t *testing.T) {
	canary := 0
	for i := range uint64(1000) {
		p := newPicker([]uint32{90, 10}, i*0x9e3779b97f4a7c15)
		for range 3 {
			canary += p.next()
		}
	}
	if canary < 220 || canary > 380 {
		t.Errorf("a thousand proxies with three requests each sent %d of 3000 to the 10%% canary", canary)
	}
}
