package simtest

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// simulateForever runs all profiles in turn, with seeds that no run had
// before, until it is stopped or a promise is broken.
func simulateForever(t *testing.T) {
	all := profiles()
	first := uint64(time.Now().UnixNano())
	say := func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
	say("%d profiles in turn, seeds from %d; stop with Ctrl-C", len(all), first)
	var next, meshes, requests atomic.Uint64
	failure := make(chan string, runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := next.Add(1) - 1
				p, seed := all[n%uint64(len(all))], first+n/uint64(len(all))
				w := newWorld(p, seed)
				if err := w.run(); err != nil {
					failure <- report(p, seed, err)
					return
				}
				meshes.Add(1)
				requests.Add(uint64(w.tokens))
			}
		})
	}
	progress := time.NewTicker(5 * time.Second)
	defer progress.Stop()
	begun := time.Now()
	for {
		select {
		case <-progress.C:
			say("%v: %d meshes, %d requests, up to seed %d", time.Since(begun).Round(time.Second), meshes.Load(),
				requests.Load(), first+next.Load()/uint64(len(all)))
		case f := <-failure:
			close(stop)
			running.Wait()
			t.Fatal(f)
		}
	}
}
