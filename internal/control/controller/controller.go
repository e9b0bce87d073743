package controller

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aeraki-mesh/aeraki/internal/control/source/file"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
)

// runner is a part that runs as long as the controller does.
type runner struct {
	name string
	run  func(context.Context) error
}

// Run runs the control plane until ctx ends, which is no error. It returns
// after everything that it started has ended.
func Run(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	source, err := file.New(file.Options{Dir: o.Dir, State: o.State, AllowEmpty: o.AllowEmpty, Log: o.Log})
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, o, source), source.Close())
}

func serve(ctx context.Context, o Options, source *file.Source) error {
	ads, err := xdsserver.Listen(o.ADS)
	if err != nil {
		return fmt.Errorf("controller: ads: %w", err)
	}
	var status net.Listener
	if o.Status != "" {
		if status, err = xdsserver.Listen(o.Status); err != nil {
			return errors.Join(fmt.Errorf("controller: status: %w", err), ads.Close())
		}
	}
	server := xdsserver.New(xdsserver.Types{Clusters: xds.ClusterType, Endpoints: xds.EndpointType, Routes: xds.RouteType, Listeners: xds.ListenerType}, o.Log)
	p := &pipeline{options: o.Compile, log: o.Log, server: server}
	p.first = func() { o.ready(ads, status) }
	return runAll(ctx, runners(source, p, ads, status))
}

// runners is everything that runs.
func runners(source *file.Source, p *pipeline, ads, status net.Listener) []runner {
	out := []runner{
		// Reads the folder; calls the pipeline with each change: compile →
		// plan → translate → publish; keeps as last good what that accepted.
		{"source/file", func(ctx context.Context) error { return source.Run(ctx, p.update) }},
		// Reads what was published; writes to proxies.
		{"xdsserver", func(ctx context.Context) error { return p.server.Serve(ctx, ads) }},
	}
	if status != nil {
		// Reads the pipeline's latest result and the proxies' status.
		out = append(out, runner{"status", func(ctx context.Context) error { return serveStatus(ctx, status, statusHandler(p)) }})
	}
	return out
}

func (o *Options) ready(ads, status net.Listener) {
	if o.Ready == nil {
		return
	}
	if status == nil {
		o.Ready(ads.Addr(), nil)
		return
	}
	o.Ready(ads.Addr(), status.Addr())
}

// runAll runs them until ctx ends or one fails, which ends the others.
func runAll(ctx context.Context, all []runner) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(all))
	for _, r := range all {
		go func() {
			err := r.run(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", r.name, err)
			}
			cancel()
			ended <- err
		}()
	}
	var problems []error
	for range all {
		problems = append(problems, <-ended)
	}
	return errors.Join(problems...)
}
