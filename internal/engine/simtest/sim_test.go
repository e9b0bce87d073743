package simtest

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "replay this seed of every profile, or of the one that -run names")
	countFlag = flag.Uint64("sim.seeds", 0, "seeds per profile; 0: 40 with -short, 300 without")
	forever   = flag.Bool("sim.forever", false, "go on with new seeds until stopped")
)

// TestSimulation runs meshes from seeds. What it promises: every request gets
// exactly one reply, its own; no request reaches servers twice; in a calm mesh
// none is answered by the proxy; counters add up; nothing is left at the end.
func TestSimulation(t *testing.T) {
	for _, p := range profiles() {
		t.Run(p.name, func(t *testing.T) { simulate(t, p) })
	}
}

func simulate(t *testing.T, p profile) {
	first, n := uint64(1), *countFlag
	if n == 0 {
		if n = 300; testing.Short() {
			n = 40
		}
	}
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	requests := 0
	for seed := first; seed < first+n || *forever; seed++ {
		w := newWorld(p, seed)
		if err := w.run(); err != nil {
			t.Fatalf("%v\nreplay: go test ./internal/engine/simtest -run 'TestSimulation/^%s$' -sim.seed %d", err, p.name, seed)
		}
		for _, c := range w.clients {
			requests += c.sent
		}
		if *forever && seed%1000 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d seeds, %d requests\n", p.name, seed, requests)
			if seed%10000 == 0 {
				return
			}
		}
	}
	t.Logf("%d seeds, %d requests", n, requests)
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
