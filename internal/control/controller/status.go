package controller

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// ResourceSummary is one resource that is served, as /status/resources has it.
type ResourceSummary struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// ResourcesStatus is the body of /status/resources.
type ResourcesStatus struct {
	Objects []compile.ObjectStatus `json:"objects"`
	Served  []ResourceSummary      `json:"served"`
}

// statusHandler serves JSON: /status/proxies ([]xdsserver.ProxyStatus),
// /status/diagnostics ([]diag.Diagnostic), /status/resources
// (ResourcesStatus) and /ready (200 once the first reading is served).
func statusHandler(p *pipeline) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if p.latest.Load() == nil {
			http.Error(w, "the folder was not read yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /status/proxies", func(w http.ResponseWriter, _ *http.Request) {
		proxies := p.server.Status()
		if proxies == nil {
			proxies = []xdsserver.ProxyStatus{}
		}
		writeJSON(w, proxies)
	})
	mux.HandleFunc("GET /status/diagnostics", func(w http.ResponseWriter, _ *http.Request) {
		out := []diag.Diagnostic{}
		if r := p.latest.Load(); r != nil {
			out = append(out, r.Diagnostics...)
		}
		writeJSON(w, out)
	})
	mux.HandleFunc("GET /status/resources", func(w http.ResponseWriter, _ *http.Request) {
		out := ResourcesStatus{Objects: []compile.ObjectStatus{}, Served: []ResourceSummary{}}
		if r := p.latest.Load(); r != nil {
			out.Objects = append(out.Objects, r.Objects...)
			for i := range r.Resources {
				out.Served = append(out.Served, ResourceSummary{r.Resources[i].Type, r.Resources[i].Name, r.Resources[i].Version})
			}
		}
		writeJSON(w, out)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The reader may be gone; there is nobody to tell.
	_, _ = w.Write(append(data, '\n'))
}

// serveStatus serves until ctx ends.
func serveStatus(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
