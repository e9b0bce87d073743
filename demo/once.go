package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// inForceWithin is how long an edit may take to be in force.
const inForceWithin = time.Second

// tolerance of a measured share, in points of a percent. Weights are exact per
// worker; the rounds of a hundred at both ends are not whole.
const tolerance = 1.5

// step is one edit and what must be seen after it.
type step struct {
	name   string
	edit   func(ctx context.Context, s *stage) error
	checks []check
	// untimed: the edit waits for something by itself, a restart.
	untimed bool
}

// check is what the replies to one client's requests must show.
type check struct {
	service string
	args    []string // of the client, beside the service's own
	says    map[string]string
	want    map[string]float64 // share in percent by version
	within  float64            // of it, in points; 0: tolerance
	n       int
}

// measured is a line of the closing table.
type measured struct {
	step, service string
	want, got     string
	sent, failed  int
	inForce       time.Duration
}

// runOnce edits, counts and checks unattended.
func runOnce(ctx context.Context, s *stage) error {
	background, err := s.startBackground(ctx)
	if err != nil {
		return err
	}
	var table []measured
	for _, st := range steps(s) {
		rows, err := s.runStep(ctx, st)
		table = append(table, rows...)
		if err != nil {
			printTable(table)
			return fmt.Errorf("%s: %w", st.name, err)
		}
		s.say("  ✓ %s", st.name)
	}
	totals, err := s.finish(ctx, background, table)
	printTable(table)
	fmt.Println(totals)
	return err
}

// startBackground starts a steady client of every kind, which runs through all
// edits.
func (s *stage) startBackground(ctx context.Context) (map[*harness.Process]string, error) {
	clients := map[*harness.Process]string{}
	for _, svc := range s.services {
		for i, t := range svc.traffic {
			p, err := s.client(ctx, svc, fmt.Sprintf("%s-steady-%d", svc.name, i), append([]string{"-n", "0", "-connections", "2", "-rate", "200"}, t.args...)...)
			if err != nil {
				return nil, err
			}
			clients[p] = svc.name
		}
	}
	return clients, nil
}

func (s *stage) service(name string) *service {
	for _, svc := range s.services {
		if svc.name == name {
			return svc
		}
	}
	return nil
}

// runStep makes the edit, waits until the proxies have it in force, sends the
// requests and compares their replies.
func (s *stage) runStep(ctx context.Context, st step) ([]measured, error) {
	began := time.Now()
	if err := st.edit(ctx, s); err != nil {
		return nil, err
	}
	if st.untimed {
		began = time.Now()
	}
	var rows []measured
	for _, c := range st.checks {
		if err := s.awaitShares(ctx, c); err != nil {
			return rows, err
		}
		took := time.Since(began)
		if took > inForceWithin && len(rows) == 0 {
			return rows, fmt.Errorf("in force only after %v", took)
		}
		row, err := s.measure(ctx, st, c)
		if len(rows) == 0 {
			row.inForce = took
		}
		rows = append(rows, row)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// awaitShares waits until the route in force for such a request has the wanted
// shares. Whether requests follow it is measured after.
func (s *stage) awaitShares(ctx context.Context, c check) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return harness.Until(ctx, func() error {
		r, err := s.proxies[c.service].Explain(ctx, c.service, c.says)
		if err != nil {
			return err
		}
		if r == nil {
			return errors.New("no route matches")
		}
		have := r.Shares()
		if all, ok := have[""]; ok && all == 100 {
			return sameShares(c.want, map[string]float64{"v1": 50, "v2": 50}, 0)
		}
		return sameShares(c.want, have, 0)
	})
}

// sameShares compares shares in percent.
func sameShares(want, have map[string]float64, within float64) error {
	for _, v := range []string{"v1", "v2"} {
		if math.Abs(want[v]-have[v]) > within {
			return fmt.Errorf("shares are %s, not %s", shares(have), shares(want))
		}
	}
	return nil
}

// measure sends c's requests and checks every reply.
func (s *stage) measure(ctx context.Context, st step, c check) (measured, error) {
	svc := s.service(c.service)
	p, err := s.client(ctx, svc, c.service+"-check", append([]string{"-n", itoa(c.n), "-connections", "8"}, c.args...)...)
	if err != nil {
		return measured{}, err
	}
	r, err := p.Report(ctx)
	if err != nil {
		return measured{}, err
	}
	got := map[string]float64{}
	for v, n := range r.ByVersion {
		got[v] = 100 * float64(n) / float64(max(r.OK, 1))
	}
	row := measured{step: st.name, service: svc.title, want: shares(c.want), got: shares(got), sent: r.Sent, failed: r.Failed()}
	if r.Failed() > 0 || r.Sent != c.n {
		return row, fmt.Errorf("of %d requests %d were sent and %d failed: %v, %d wrong", c.n, r.Sent, r.Failed(), r.Errors, r.Wrong)
	}
	return row, sameShares(c.want, got, max(c.within, tolerance))
}

// finish stops the clients, then the servers, and compares their counts.
func (s *stage) finish(ctx context.Context, background map[*harness.Process]string, table []measured) (string, error) {
	var errs []error
	sent, failed := map[string]int{}, map[string]int{}
	for p, service := range background {
		if err := p.Signal(os.Interrupt); err != nil {
			errs = append(errs, err)
		}
		r, err := p.Report(ctx)
		errs = append(errs, err)
		sent[service] += r.Sent
		failed[service] += r.Failed()
		if r.Failed() > 0 {
			errs = append(errs, fmt.Errorf("steady client %s: %d of %d requests failed: %v, %d wrong", p.Name, r.Failed(), r.Sent, r.Errors, r.Wrong))
		}
	}
	for _, row := range table {
		for _, svc := range s.services {
			if svc.title == row.service {
				sent[svc.name] += row.sent
				failed[svc.name] += row.failed
			}
		}
	}
	var b strings.Builder
	total := 0
	fmt.Fprintf(&b, "%-10s %10s %10s %10s\n", "service", "sent", "failed", "served")
	for _, svc := range s.services {
		served := 0
		for _, v := range svc.versions {
			c, err := s.servers[svc.name+"-"+v].Finish()
			errs = append(errs, err)
			served += c.Served
		}
		if served != sent[svc.name] {
			errs = append(errs, fmt.Errorf("%s: clients sent %d requests, servers counted %d", svc.title, sent[svc.name], served))
		}
		total += sent[svc.name]
		fmt.Fprintf(&b, "%-10s %10d %10d %10d\n", svc.title, sent[svc.name], failed[svc.name], served)
	}
	if total < 100_000 {
		errs = append(errs, fmt.Errorf("only %d requests were sent in all", total))
	}
	fmt.Fprintf(&b, "%d requests in all, each with its own reply", total)
	return b.String(), errors.Join(errs...)
}

func printTable(rows []measured) {
	fmt.Printf("\n%-38s %-10s %-16s %-20s %8s %7s %10s\n", "edit", "service", "rule", "replies", "requests", "failed", "in force")
	for _, r := range rows {
		took := ""
		if r.inForce > 0 {
			took = fmt.Sprintf("%d ms", r.inForce.Milliseconds())
		}
		fmt.Printf("%-38s %-10s %-16s %-20s %8d %7d %10s\n", r.step, r.service, r.want, r.got, r.sent, r.failed, took)
	}
	fmt.Println()
}
