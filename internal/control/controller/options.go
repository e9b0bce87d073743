// Package controller joins the stages of the control plane: the folder is read,
// compiled, translated and served. What runs, and who reads what of whom, is
// the literal list in runners.
package controller

import (
	"cmp"
	"errors"
	"log/slog"
	"net"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
)

// Options configure a controller.
type Options struct {
	// Dir is the folder of YAML.
	Dir string
	// State is the folder of last good forms; empty: file.DefaultState(Dir).
	State string
	// ADS is where proxies are served: "unix:/path" or a loopback
	// "address:port" (port 0: any free one, see Ready).
	ADS string
	// Status is where the status endpoint listens, as ADS; empty: nowhere.
	Status string
	// AllowEmpty lets an emptied folder take all of its objects away.
	AllowEmpty bool
	// Compile holds the built-in protocols and the mesh's settings.
	Compile compile.Options
	// Log takes what happens; nil: nothing is logged.
	Log *slog.Logger
	// Ready is called once, when the first reading is served and both
	// endpoints listen; nil: nobody is told. Status is nil where there is none.
	Ready func(ads, status net.Addr)
}

func (o Options) withDefaults() (Options, error) {
	var problems []error
	if o.Dir == "" {
		problems = append(problems, errors.New("controller: no folder is given"))
	}
	o.ADS = cmp.Or(o.ADS, "127.0.0.1:0")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(problems...)
}
