// Package admin is the proxy's endpoint for operators, on loopback only:
// readiness, the configuration in force, clusters, connections, Prometheus
// metrics, log level and drain. It shows what it is given and decides nothing.
package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// Source is what the endpoint shows. All functions may be called from any
// goroutine at any time.
type Source struct {
	Node Node
	// Ready returns nil when the proxy serves, or why it does not (yet).
	Ready func() error
	// Config and Clusters return what is in force, for JSON.
	Config, Clusters func() any
	// Explain says which route in force a request with these properties takes
	// on a listener, and why not those before it.
	Explain func(listener string, properties map[string]string) (any, error)
	// Snapshots copies the counters of all workers.
	Snapshots func(context.Context) ([]engine.Snapshot, error)
	// Drain begins the graceful end of the process.
	Drain func()
	Level *slog.LevelVar
}

// Node is the workload that the proxy serves, in metrics.
type Node struct {
	ID, Namespace, Workload string
	Labels                  map[string]string
}

// snapshotTimeout bounds how long a scrape waits for the workers.
const snapshotTimeout = 5 * time.Second

// Server is a running endpoint.
type Server struct {
	http *http.Server
	addr netip.AddrPort
}

// Start listens on addr, which must be a loopback address, and serves until
// Close. Port 0 takes any.
func Start(addr netip.AddrPort, s Source, log *slog.Logger) (*Server, error) {
	if !addr.Addr().IsLoopback() {
		return nil, fmt.Errorf("admin address %s is not on loopback", addr)
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("admin endpoint: %w", err)
	}
	srv := &Server{
		http: &http.Server{Handler: Handler(s), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)},
		addr: l.Addr().(*net.TCPAddr).AddrPort(),
	}
	go func() {
		if err := srv.http.Serve(l); err != http.ErrServerClosed {
			log.Error("admin endpoint ended", "error", err)
		}
	}()
	return srv, nil
}

// Addr returns the address that it listens on.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Close ends the endpoint at once.
func (s *Server) Close() error { return s.http.Close() }

// Handler returns the endpoint's pages.
func Handler(s Source) http.Handler {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCollector(s))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) { show(w, s.Config()) })
	mux.HandleFunc("GET /clusters", func(w http.ResponseWriter, _ *http.Request) { show(w, s.Clusters()) })
	mux.HandleFunc("GET /connections", s.connections)
	mux.HandleFunc("GET /explain", s.explain)
	mux.HandleFunc("GET /log", func(w http.ResponseWriter, _ *http.Request) {
		show(w, map[string]string{"level": s.Level.Level().String()})
	})
	mux.HandleFunc("POST /log", s.setLevel)
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		s.Drain()
		show(w, map[string]string{"state": "draining"})
	})
	mux.HandleFunc("GET /{$}", index)
	return localOnly(http.NewCrossOriginProtection().Handler(mux))
}

// localOnly refuses requests that a browser was tricked into sending under a
// foreign name (DNS rebinding). That a foreign page has it send POSTs under the
// right name is refused by CrossOriginProtection.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
			http.Error(w, fmt.Sprintf("the admin endpoint is not reached as %q; use localhost", r.Host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `aeraki-proxy
GET  /ready         200 when the proxy serves
GET  /config        listeners and routes in force, with versions
GET  /clusters      clusters and their endpoints
GET  /connections   connections and requests in flight
GET  /explain       ?listener=NAME&method=sayHello&…: the route such a request takes, and why
GET  /metrics       for Prometheus
GET  /log           the log level; POST /log?level=debug|info|warn|error sets it
POST /drain         end gracefully: no new connections, clients are asked to go
`)
}

func (s Source) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (s Source) setLevel(w http.ResponseWriter, r *http.Request) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(r.URL.Query().Get("level"))); err != nil {
		http.Error(w, fmt.Sprintf("level: %v; use debug, info, warn or error", err), http.StatusBadRequest)
		return
	}
	s.Level.Set(l)
	show(w, map[string]string{"level": l.String()})
}

func (s Source) explain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	properties := map[string]string{}
	for name := range q {
		if name != "listener" {
			properties[name] = q.Get(name)
		}
	}
	v, err := s.Explain(q.Get("listener"), properties)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	show(w, v)
}

// connectionsView is what /connections shows, summed over the workers.
type connectionsView struct {
	Workers   int            `json:"workers"`
	Accepted  uint64         `json:"accepted"`
	Requests  int            `json:"requestsInFlight"`
	Buffered  int            `json:"bufferedBytes"`
	Clients   map[string]int `json:"clientsByListener"`
	Upstreams map[string]int `json:"upstreamsByCluster"`
	PerWorker []int          `json:"clientsByWorker"`
}

func (s Source) connections(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), snapshotTimeout)
	defer cancel()
	all, err := s.Snapshots(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	v := connectionsView{Workers: len(all), Clients: map[string]int{}, Upstreams: map[string]int{}}
	for _, snap := range all {
		v.Accepted += snap.Accepted
		v.Requests += snap.Requests
		v.Buffered += snap.Buffered
		mine := 0
		for name, n := range snap.Clients {
			v.Clients[name] += n
			mine += n
		}
		for name, n := range snap.Upstreams {
			v.Upstreams[name] += n
		}
		v.PerWorker = append(v.PerWorker, mine)
	}
	show(w, v)
}

func show(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(v) // an error means that the reader has gone
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
