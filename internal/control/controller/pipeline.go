package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/control/source/file"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// pipeline turns each update into what is served. update is called by one
// goroutine; latest is for all.
type pipeline struct {
	options compile.Options
	log     *slog.Logger
	server  *xdsserver.Server
	xds     xds.Translator
	nodes   nodes
	latest  atomic.Pointer[Result]
	first   func() // called after the first update is served
}

// update compiles, translates and publishes, and returns what was accepted.
func (p *pipeline) update(u file.Update) map[resource.Key]string {
	start := time.Now()
	r, err := build(u, p.options, &p.xds)
	if err != nil {
		// A bug of ours: what is served stays.
		p.log.Error("an update is not served", "error", err)
		return nil
	}
	view := p.newView(r)
	took := time.Since(start)
	before := p.latest.Swap(r)
	p.server.Publish(view)
	p.tell(before, r, took)
	if p.first != nil {
		p.first()
		p.first = nil
	}
	return r.Accepted
}

func (p *pipeline) newView(r *Result) *xdsserver.View {
	shared := xdsserver.Resources{}
	sum := sha256.New()
	var line []byte
	var needing []xds.Resource // of proxies' filters
	for i := range r.Resources {
		add(shared, &r.Resources[i])
		if len(r.Resources[i].Filters) > 0 {
			needing = append(needing, r.Resources[i])
		}
		line = fmt.Appendf(line[:0], "%s %s %s\n", r.Resources[i].Type, r.Resources[i].Name, r.Resources[i].Version)
		_, _ = sum.Write(line) // a hash takes everything
	}
	mesh := r.Mesh
	p.nodes.next()
	return &xdsserver.View{Version: hex.EncodeToString(sum.Sum(nil)[:8]), Shared: shared,
		For: func(n *corev3.Node) (xdsserver.ForProxy, error) {
			node, err := p.nodes.parse(n)
			if err != nil {
				return xdsserver.ForProxy{}, err
			}
			made := xds.ForProxy(mesh, node, needing)
			out := xdsserver.ForProxy{Own: xdsserver.Resources{}, Withheld: made.Withheld}
			for i := range made.Own {
				add(out.Own, &made.Own[i])
			}
			for _, problem := range made.Problems {
				out.Problems = append(out.Problems, xdsserver.Problem(problem))
			}
			return out, nil
		}}
}

func add(to xdsserver.Resources, r *xds.Resource) {
	to.Add(r.Name, r.Version, &anypb.Any{TypeUrl: r.Type, Value: r.Body})
}

// tell logs what an update changes.
func (p *pipeline) tell(old, now *Result, took time.Duration) {
	before := map[string]string{}
	known := map[diag.Diagnostic]bool{}
	if old != nil {
		for i := range old.Resources {
			before[old.Resources[i].Type+" "+old.Resources[i].Name] = old.Resources[i].Version
		}
		for _, d := range old.Diagnostics {
			known[d] = true
		}
	}
	var changed []string
	for i := range now.Resources {
		id := now.Resources[i].Type + " " + now.Resources[i].Name
		if before[id] != now.Resources[i].Version {
			changed = append(changed, now.Resources[i].Name)
		}
		delete(before, id)
	}
	p.log.Info("compiled", "services", len(now.Mesh.Services), "resources", len(now.Resources), "changed", namesText(changed),
		"removed", len(before), "diagnostics", len(now.Diagnostics), "took", took)
	for _, d := range now.Diagnostics {
		if !known[d] {
			p.log.Log(context.Background(), level(d.Severity), d.String())
		}
	}
}

// maxTold bounds how many changed resources one line of the log names.
const maxTold = 10

// namesText renders names, each once: a cluster and its endpoints have one in
// common.
func namesText(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	more := ""
	if n := len(names) - maxTold; n > 0 {
		names, more = names[:maxTold], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ") + more
}

func level(s diag.Severity) slog.Level {
	switch s {
	case diag.Error:
		return slog.LevelError
	case diag.Warning:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
