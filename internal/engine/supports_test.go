package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/toy"
)

// bare hides everything of a protocol that not every protocol has.
type bare struct{ codec.Protocol }

func TestSupports(t *testing.T) {
	all := codec.Traits{Name: "toy", Client: codec.ByID, Server: codec.InOrder, Parallel: true,
		SilentRequests: true, HeartbeatInterval: time.Second}
	for want, c := range map[string]struct {
		change func(*codec.Traits)
		bare   bool
	}{
		"":                       {func(*codec.Traits) {}, false},
		"servers that speak":     {func(t *codec.Traits) { t.ServerFirst = true }, false},
		"dedicated connections":  {func(t *codec.Traits) { t.Client = codec.Dedicated }, false},
		"dedicated":              {func(t *codec.Traits) { t.Server = codec.Dedicated }, false},
		"order 0 of clients":     {func(t *codec.Traits) { t.Client, t.Server = codec.InOrder, 7 }, false},
		"cannot rewrite ids":     {func(t *codec.Traits) { t.HeartbeatInterval = 0 }, true},
		"interval and no heartb": {func(t *codec.Traits) { t.Parallel = false }, true},
	} {
		traits := all
		c.change(&traits)
		var p codec.Protocol = &toy.Protocol{T: traits}
		if c.bare {
			p = bare{p}
		}
		err := engine.Supports(p)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
