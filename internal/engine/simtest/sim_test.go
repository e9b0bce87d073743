package simtest

import (
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "replay this seed of every profile, or of the one that -run names")
	countFlag = flag.Uint64("sim.seeds", 0, "seeds per profile; 0: 30 with -short, 120 without; 3 with -race")
	forever   = flag.Bool("sim.forever", false, "go on with new seeds until stopped")
)

// TestSimulation runs meshes from seeds. What it promises: every request gets
// exactly one reply, its own, in its order; no request reaches servers twice,
// or one that the rules do not name; in a calm mesh none is answered by the
// proxy; what is held stays within its bounds; counters add up; nothing is
// left at the end.
func TestSimulation(t *testing.T) {
	if *forever {
		simulateForever(t)
		return
	}
	first, n := uint64(1), *countFlag
	if n == 0 {
		switch n = 120; {
		case raceDetector:
			n = 3 // each mesh is one goroutine: it has little to find
		case testing.Short():
			n = 30
		}
	}
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	var broken atomic.Bool // one failure is enough for all profiles
	for _, p := range profiles() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			for seed := first; seed < first+n && !broken.Load(); seed++ {
				w := newWorld(p, seed)
				if err := w.run(); err != nil {
					broken.Store(true)
					t.Fatal(report(p, seed, err))
				}
				requests += w.tokens
			}
			t.Logf("%d seeds, %d requests", n, requests)
		})
	}
}

// report says what was broken and how to see it again.
func report(p profile, seed uint64, err error) string {
	return fmt.Sprintf("%s, seed %d: promise broken %v\nreplay: go test ./internal/engine/simtest -run 'TestSimulation/^%s$' -sim.seed %d",
		p.name, seed, err, p.name, seed)
}

func TestSimulationReplaysExactly(t *testing.T) {
	for _, p := range profiles() {
		a, b := newWorld(p, 99), newWorld(p, 99)
		a.run()
		b.run()
		if a.net.Trace() != b.net.Trace() {
			t.Errorf("%s: two runs of a seed differ", p.name)
		}
	}
}
