package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/admin"
	"github.com/aeraki-mesh/aeraki/internal/bootstrap"
	"github.com/aeraki-mesh/aeraki/internal/cluster"
	"github.com/aeraki-mesh/aeraki/internal/driver/loop"
	"github.com/aeraki-mesh/aeraki/internal/engine"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
	"github.com/aeraki-mesh/aeraki/internal/xdsclient"
)

// Run runs a proxy until ctx ends, then drains it. It returns nil after a
// graceful end.
func Run(ctx context.Context, o Options) error {
	config, err := bootstrap.Load(o.ConfigFile)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(o.LogLevel)
	log := slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: level}))

	// One thread more than workers: the collector and the xDS client run
	// beside them (measured: fewer or more cost 4 to 7 % per request).
	runtime.GOMAXPROCS(config.Workers + 1)

	clusters := cluster.New(cluster.Options{Log: log})
	defer clusters.Close()
	p := &process{config: config, log: log, level: level, clusters: clusters, drain: make(chan struct{})}
	if err := p.startWorkers(); err != nil {
		return err
	}
	defer p.server.Close()
	if err := p.startClient(o); err != nil {
		return err
	}
	defer p.client.Close()
	a, err := admin.Start(config.AdminAddress(), p.source(), log)
	if err != nil {
		return err
	}
	defer a.Close()
	log.Info("started", "node", config.Node.ID, "workers", config.Workers, "admin", a.Addr().String(), "control-plane", config.ControlPlane.Address)
	p.serve(ctx)
	return nil
}

// process is a running proxy. Fields are set before anything runs; config in
// force is guarded by the listeners' own lock.
type process struct {
	config    *bootstrap.Config
	log       *slog.Logger
	level     *slog.LevelVar
	clusters  *cluster.Directory
	server    *loop.Server
	listeners *listeners
	client    *xdsclient.Client

	drain     chan struct{}
	drainOnce sync.Once
}

// startWorkers starts the loops, without configuration.
func (p *process) startWorkers() error {
	shared := engine.NewShared()
	seed := uint64(time.Now().UnixNano())
	server, err := loop.New(loop.Options{
		Workers: p.config.Workers,
		Log:     p.log,
		Cluster: p.clusters.Cluster,
		NewHandler: func(i int, d engine.Driver) engine.Handler {
			return engine.NewWorker(engine.Options{Driver: d, Log: p.log.With("worker", i), Shared: shared, Seed: seed + uint64(i)})
		},
	})
	if err != nil {
		return err
	}
	p.server = server
	p.listeners = newListeners(server, p.log)
	return nil
}

// startClient starts the xDS client, which configures the workers.
func (p *process) startClient(o Options) error {
	var protocols, filters []string
	for _, x := range o.Protocols {
		protocols = append(protocols, x.Traits().Name)
	}
	for _, x := range o.Filters {
		filters = append(filters, x.Name())
	}
	node, err := p.config.XDSNode(protocols, filters)
	if err != nil {
		return err
	}
	p.client, err = xdsclient.Start(xdsclient.Options{
		Node:      node,
		Address:   p.config.ControlPlane.Address,
		Clusters:  p.clusters,
		Protocols: o.Protocols,
		Filters:   o.Filters,
		Source:    route.Source{Namespace: p.config.Node.Namespace, Labels: p.config.Node.Labels, Known: true},
		Gateways:  p.config.Gateways(),
		Apply:     p.listeners.apply,
		Log:       p.log,
	})
	if err != nil {
		return fmt.Errorf("xds client: %w", err)
	}
	return nil
}

// serve waits until ctx ends or the admin endpoint says drain, then drains.
func (p *process) serve(ctx context.Context) {
	run, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.listeners.retry(run) })
	select {
	case <-ctx.Done():
	case <-p.drain:
	}
	p.drainAll()
	stop()
	wg.Wait()
}

// drainAll stops accepting, asks clients to go, and waits until they have and
// what they sent is written, at most DrainTimeout.
func (p *process) drainAll() {
	timeout := time.Duration(p.config.DrainTimeout)
	p.log.Info("draining", "timeout", timeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	p.listeners.close()
	if err := p.server.Do(ctx, func(_ int, h engine.Handler) { h.(*engine.Worker).Drain() }); err != nil {
		p.log.Error("drain", "error", err)
		return
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		clients, unsent := 0, 0
		err := p.server.Do(ctx, func(_ int, h engine.Handler) {
			w := h.(*engine.Worker)
			clients, unsent = clients+w.Clients(), unsent+w.Unsent()
		})
		if err == nil && clients == 0 && unsent == 0 {
			p.log.Info("drained")
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.log.Warn("drain timed out", "clients", clients, "unsent", unsent)
			return
		}
	}
}

// ready returns why the proxy does not serve all that it should; nil if it
// does. A proxy for which the control plane has no listener is ready too, one
// whose listeners wait for their routes is not.
func (p *process) ready() error {
	status := p.client.Status()
	config, _ := p.listeners.inForce()
	served := map[string]bool{}
	if config != nil {
		for _, l := range config.Listeners {
			served[l.Name] = true
		}
	}
	for _, r := range status.Resources {
		if r.Type == "Listener" && !served[r.Name] {
			return fmt.Errorf("listener %s is not in force: %s", r.Name, r.Error)
		}
	}
	if config == nil && status.Synced {
		return nil
	}
	return p.listeners.ready()
}

// source is what the admin endpoint shows.
func (p *process) source() admin.Source {
	n := p.config.Node
	return admin.Source{
		Node:     admin.Node{ID: n.ID, Namespace: n.Namespace, Workload: n.Workload, Labels: n.Labels},
		Ready:    p.ready,
		Config:   func() any { return configView(p.listeners, p.client.Status()) },
		Clusters: func() any { return p.clusters.Status() },
		Explain:  p.explain,
		Snapshots: func(ctx context.Context) ([]engine.Snapshot, error) {
			all := make([]engine.Snapshot, 0, p.config.Workers)
			err := p.server.Do(ctx, func(_ int, h engine.Handler) { all = append(all, h.(*engine.Worker).Snapshot()) })
			return all, err
		},
		Drain: func() { p.drainOnce.Do(func() { close(p.drain) }) },
		Level: p.level,
	}
}
