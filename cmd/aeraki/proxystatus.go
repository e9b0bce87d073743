package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/internal/control/xdsserver"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// proxyStatus is what proxy-status prints.
type proxyStatus struct {
	Proxies     []xdsserver.ProxyStatus `json:"proxies"`
	Diagnostics []diag.Diagnostic       `json:"diagnostics,omitempty"`
}

func proxyStatusCommand() *cobra.Command {
	var out output
	address := defaultStatus
	cmd := &cobra.Command{
		Use:   "proxy-status [--status ADDR] [PROXY]",
		Short: "Say which proxies a running controller serves, and what they refuse",
		Long: "Say which proxies a running controller serves, per type of resource how many are in force, and what a proxy\n" +
			"refused or cannot be sent; with a proxy's name, every resource of it. Exit code 1 if a proxy refuses anything.",
		Example: "  aeraki proxy-status\n  aeraki proxy-status --status unix:/run/aeraki/status.sock client-1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%q is too much: %s takes the name of one proxy, or none for all", args[1], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return runProxyStatus(cmd, &out, address, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			s, err := askStatus(cmd.Context(), address)
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return s.names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	out.addFlag(cmd, "table")
	cmd.Flags().StringVar(&address, "status", defaultStatus, "where the controller tells its status: address:port, or unix:PATH")
	return cmd
}

func runProxyStatus(cmd *cobra.Command, out *output, address string, args []string) error {
	s, err := askStatus(cmd.Context(), address)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		if s, err = s.only(args[0]); err != nil {
			return err
		}
	}
	err = out.print(cmd.OutOrStdout(), s, func(w io.Writer) error { return s.table(w, len(args) == 1) })
	if err == nil && s.troubled() {
		return errFindings
	}
	return err
}

func (s *proxyStatus) names() []string {
	var out []string
	for i := range s.Proxies {
		out = append(out, s.Proxies[i].Node)
	}
	return slices.Compact(out)
}

func (s *proxyStatus) only(name string) (*proxyStatus, error) {
	out := &proxyStatus{}
	for i := range s.Proxies {
		if s.Proxies[i].Node == name {
			out.Proxies = append(out.Proxies, s.Proxies[i])
		}
	}
	if len(out.Proxies) > 0 {
		return out, nil
	}
	if len(s.Proxies) == 0 {
		return nil, fmt.Errorf("no proxy has connected to this controller; set controlPlane.address of %q to the controller's --listen", name)
	}
	return nil, fmt.Errorf("no proxy %q has connected to this controller; there are %s", name, strings.Join(s.names(), ", "))
}

// troubled reports whether a connected proxy refuses or lacks anything.
func (s *proxyStatus) troubled() bool {
	return slices.ContainsFunc(s.Proxies, func(p xdsserver.ProxyStatus) bool {
		return p.Disconnected.IsZero() && len(troubles(&p)) > 0
	})
}

// troubles are what a proxy refuses or cannot be sent, one sentence each.
func troubles(p *xdsserver.ProxyStatus) []string {
	var out []string
	for _, t := range p.Types {
		for _, r := range t.Resources {
			if r.Refused != nil {
				out = append(out, fmt.Sprintf("%s %s: refuses version %s: %s", shortType(t.Type), r.Name, r.Refused.Version, r.Refused.Error))
			}
			if r.Withheld != "" {
				out = append(out, fmt.Sprintf("%s %s: is not sent: %s", shortType(t.Type), r.Name, r.Withheld))
			}
		}
	}
	for _, problem := range p.Problems {
		out = append(out, fmt.Sprintf("%s %s: %s", shortType(problem.Type), problem.Name, problem.Message))
	}
	return out
}

func (s *proxyStatus) table(w io.Writer, whole bool) error {
	if len(s.Proxies) == 0 {
		_, err := fmt.Fprintln(w, "no proxy has connected; set controlPlane.address of a proxy to the controller's --listen")
		return err
	}
	rows := [][]string{{"PROXY", "STATE", "SINCE", "LISTENERS", "ROUTES", "CLUSTERS", "ENDPOINTS"}}
	for i := range s.Proxies {
		rows = append(rows, summary(&s.Proxies[i]))
	}
	if err := columns(w, rows); err != nil {
		return err
	}
	for i := range s.Proxies {
		for _, t := range troubles(&s.Proxies[i]) {
			fmt.Fprintf(w, "%s: %s\n", s.Proxies[i].Node, t)
		}
	}
	if whole {
		return resourcesTable(w, s.Proxies)
	}
	if len(s.Diagnostics) > 0 {
		fmt.Fprintf(w, "\nthe controller's folder:\n%s", diag.Text(s.Diagnostics))
	}
	return nil
}

// summary counts per type what is in force of what is wanted.
func summary(p *xdsserver.ProxyStatus) []string {
	state, since := "synced", p.Connected
	switch {
	case !p.Disconnected.IsZero():
		state, since = "gone", p.Disconnected
	case len(troubles(p)) > 0:
		state = "refuses"
	case !p.Synced:
		state = "updating"
	}
	row := []string{p.Node, state, since.UTC().Format(time.RFC3339)}
	for _, name := range []string{"Listener", "RouteConfiguration", "Cluster", "ClusterLoadAssignment"} {
		row = append(row, inForceOf(p, name))
	}
	return row
}

func inForceOf(p *xdsserver.ProxyStatus, name string) string {
	for _, t := range p.Types {
		if shortType(t.Type) != name {
			continue
		}
		current := 0
		for _, r := range t.Resources {
			if r.Acked != "" && r.Acked == r.Sent && r.Refused == nil {
				current++
			}
		}
		return strconv.Itoa(current) + "/" + strconv.Itoa(len(t.Resources))
	}
	return "-"
}

func resourcesTable(w io.Writer, proxies []xdsserver.ProxyStatus) error {
	rows := [][]string{{"TYPE", "NAME", "SENT", "IN FORCE"}}
	for i := range proxies {
		for _, t := range proxies[i].Types {
			for _, r := range t.Resources {
				rows = append(rows, []string{shortType(t.Type), r.Name, orDash(r.Sent), orDash(r.Acked)})
			}
		}
	}
	fmt.Fprintln(w)
	return columns(w, rows)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
