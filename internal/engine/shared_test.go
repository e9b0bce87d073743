package engine

import (
	"fmt"
	"testing"
)

// A limit of the process holds whatever its number of workers.
func TestConnectionLimitHoldsForAllWorkers(t *testing.T) {
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			const limit = 20
			shared := NewShared()
			var worlds []*world
			for range workers {
				x := newWorld(t, parallel(), toA, func(l *Listener) { l.Limits.Connections = limit })
				x.w.shared = shared
				x.w.listeners = map[string]*listener{}
				x.configure(toA)
				worlds = append(worlds, x)
			}
			var open []func()
			refused := 0
			for i := range 3 * limit {
				x := worlds[i%workers]
				c := x.client()
				if c.closed {
					refused++
					continue
				}
				open = append(open, func() { x.turn(func() { c.closed = true; x.w.Closed(c.id, Clean) }) })
			}
			if len(open) != limit || refused != 2*limit {
				t.Fatalf("%d accepted, %d refused", len(open), refused)
			}
			for _, close := range open {
				close()
			}
			for i := range limit {
				if c := worlds[i%workers].client(); c.closed {
					t.Fatalf("place %d was not given back", i)
				}
			}
		})
	}
}
