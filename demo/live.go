package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/test/harness"
)

// refresh is how often the terminal is drawn, and what clients report.
const refresh = 500 * time.Millisecond

// row is one line of the live table.
type row struct {
	svc     *service
	traffic traffic
	client  *harness.Process
	last    harness.Report
}

// runLive shows the traffic until ctx ends.
func runLive(ctx context.Context, s *stage) error {
	var rows []*row
	for _, svc := range s.services {
		for i, t := range svc.traffic {
			c, err := s.client(ctx, svc, fmt.Sprintf("%s-client-%d", svc.name, i),
				append([]string{"-n", "0", "-connections", "4", "-rate", "400", "-stats", refresh.String()}, t.args...)...)
			if err != nil {
				return err
			}
			rows = append(rows, &row{svc: svc, traffic: t, client: c})
		}
	}
	terminal := isTerminal(os.Stdout)
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			fmt.Println("\nstopping")
			return nil
		case <-tick.C:
		}
		for _, r := range rows {
			if err := r.update(); err != nil {
				return err
			}
		}
		if terminal || n%10 == 3 {
			if err := draw(ctx, s, rows, terminal); err != nil {
				return err
			}
		}
	}
}

// update reads what the client said since the last time.
func (r *row) update() error {
	select {
	case <-r.client.Done():
		return fmt.Errorf("the client %s ended\n%s", r.client.Name, r.client.Log(20))
	default:
	}
	if line := r.client.Last(); line != "" {
		return json.Unmarshal([]byte(line), &r.last)
	}
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// draw prints the table; on a terminal over the one before.
func draw(ctx context.Context, s *stage, rows []*row, terminal bool) error {
	var b bytes.Buffer
	if terminal {
		b.WriteString("\x1b[H\x1b[2J")
	}
	fmt.Fprintf(&b, "Aeraki: traffic managed per request. Edit %s\n\n", short(s.Config()))
	fmt.Fprintf(&b, "%-10s %-11s %8s %9s  %-24s %-24s %8s %8s  %s\n", "service", "client", "req/s", "success", "share by replies", "share configured", "p50", "p99", "route")
	for _, r := range rows {
		r.draw(ctx, s, &b)
	}
	diagnostics(ctx, s, &b)
	hints(ctx, s, &b)
	_, err := os.Stdout.Write(b.Bytes())
	return err
}

func (r *row) draw(ctx context.Context, s *stage, b *bytes.Buffer) {
	route, err := s.proxies[r.svc.name].Explain(ctx, r.svc.name, r.traffic.properties)
	name, configured := "(none)", map[string]float64{}
	switch {
	case err != nil:
		name = err.Error()
	case route != nil:
		name, configured = route.Name, route.Shares()
		if len(route.Match) > 0 {
			name += ": " + strings.Join(route.Match, " or ")
		}
	}
	got := map[string]float64{}
	for v, n := range r.last.ByVersion {
		got[v] = 100 * float64(n) / float64(max(r.last.OK, 1))
	}
	success := "–"
	if r.last.TotalSent > 0 {
		success = fmt.Sprintf("%.2f %%", 100*float64(r.last.TotalOK)/float64(r.last.TotalOK+r.last.TotalErrors+r.last.TotalWrong))
	}
	fmt.Fprintf(b, "%-10s %-11s %8.0f %9s  %-24s %-24s %5d µs %5d µs  %s\n", r.svc.title, r.traffic.title, r.last.RPS, success,
		shares(got), shares(configured), r.last.P50, r.last.P99, name)
	for _, text := range slices.Sorted(maps.Keys(r.last.Errors)) {
		fmt.Fprintf(b, "           %d × %s\n", r.last.Errors[text], text)
	}
}

// shares writes percentages by version, in order.
func shares(of map[string]float64) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(of)) {
		name := v
		if name == "" {
			name = "all"
		}
		parts = append(parts, fmt.Sprintf("%s %.0f %%", name, of[v]))
	}
	return strings.Join(parts, ", ")
}

// diagnostics shows what is wrong with the folder.
func diagnostics(ctx context.Context, s *stage, b *bytes.Buffer) {
	lines, err := s.diagnostics(ctx)
	if err != nil {
		lines = []string{"the control plane does not answer: proxies go on with what they have"}
	}
	b.WriteByte('\n')
	for _, l := range lines {
		fmt.Fprintf(b, "! %s\n", l)
	}
}

func hints(ctx context.Context, s *stage, b *bytes.Buffer) {
	fmt.Fprintf(b, "\nTry: change the weights in 11-thrift-routes.yaml, or add a route with a match on a method:\n"+
		"  - {name: mine, match: {attributes: {method: {exact: echo}}}, route: [{destination: {host: %s, subset: v1}}]}\n", s.services[0].host)
	if addr, err := s.proxies["thrift"].Address(ctx, "thrift"); err == nil {
		fmt.Fprintf(b, "One request of your own:\n  %s client -target %s -method sayHello -name you -n 1 -print\n", short(s.binaries[s.services[0].peer]), addr)
	}
	fmt.Fprintf(b, "What a proxy does: curl %s/config (or /explain, /metrics)\nCtrl-C ends it; KEEP=1 goes on with this folder.\n", s.proxies["thrift"].Admin)
}

// diagnostics returns what the control plane says of the folder.
func (s *stage) diagnostics(ctx context.Context) ([]string, error) {
	b, err := harness.Get(ctx, "http://"+s.controller.Status+"/status/diagnostics")
	if err != nil {
		return nil, err
	}
	var all []diag.Diagnostic
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	var lines []string
	for _, d := range all {
		lines = append(lines, d.String())
	}
	return lines, nil
}

// short writes a path relative to the working folder's parent where it can.
func short(path string) string {
	if root, err := harness.Root(); err == nil {
		if rest, ok := strings.CutPrefix(path, root+"/"); ok {
			return rest
		}
	}
	return path
}
