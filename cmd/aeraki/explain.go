package main

import (
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// asked are the flags of explain.
type asked struct {
	host, namespace, gateway string
	labels                   []string
}

func explainCommand(builtin []codec.Protocol) *cobra.Command {
	var in folder
	var out output
	var flags asked
	cmd := &cobra.Command{
		Use:   "explain -f DIR --host HOST[:PORT] [ATTRIBUTE=VALUE]...",
		Short: "Say which route a described request takes, and why the others do not match",
		Long: "Say which route, clusters and endpoints a described request takes, why the routes before did not match, and\n" +
			"which timeout, hash, mirror and mutations apply: the engine's own route table is asked, offline.\n" +
			"Attributes that are not given are absent from the request.",
		Example: "  aeraki explain -f ./rules --host hello.demo.svc.cluster.local method=sayHello header[user]=jason\n" +
			"  aeraki explain -f ./rules --host hello.demo.svc.cluster.local:9090 --from-namespace demo --from-labels app=client method=sayHello",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			q, err := flags.question(cmd.CommandPath(), args)
			if err != nil {
				return err
			}
			return runExplain(cmd, &in, &out, builtin, q)
		},
	}
	in.addFlags(cmd)
	out.addFlag(cmd, "table")
	f := cmd.Flags()
	f.StringVar(&flags.host, "host", "", "service that is called, fully qualified; with :PORT where it has several")
	f.StringVar(&flags.namespace, "from-namespace", "", "namespace of the calling workload")
	f.StringSliceVar(&flags.labels, "from-labels", nil, "labels of the calling workload: k=v,…")
	f.StringVar(&flags.gateway, "gateway", "", "gateway that the request comes through, as namespace/name")
	completeExplain(cmd, &in, &flags, builtin)
	return cmd
}

func runExplain(cmd *cobra.Command, in *folder, out *output, builtin []codec.Protocol, q *explain.Question) error {
	r, found, err := in.compile(cmd, builtin)
	if err != nil {
		return err
	}
	a, err := explain.Explain(r, filters.Builtin(), *q)
	if err != nil {
		return err
	}
	err = out.print(cmd.OutOrStdout(), a, func(w io.Writer) error { _, err := io.WriteString(w, a.Text()); return err })
	if err != nil {
		return err
	}
	return tellFolder(cmd.ErrOrStderr(), found)
}

// question makes a question of the command line.
func (f *asked) question(command string, args []string) (*explain.Question, error) {
	if f.host == "" {
		return nil, usagef("--host is missing: name the service that is called, as in %s -f ./rules --host hello.demo.svc.cluster.local", command)
	}
	q := &explain.Question{Host: f.host, Gateway: f.gateway, Attributes: map[string]string{}}
	if host, port, err := net.SplitHostPort(f.host); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, usagef("--host %s: %q is no port; write a number from 1 to 65535", f.host, port)
		}
		q.Host, q.Port = host, uint32(n)
	}
	if f.gateway != "" && (f.namespace != "" || len(f.labels) > 0) {
		return nil, usagef("--gateway excludes --from-namespace and --from-labels: a gateway does not know its callers")
	}
	if f.namespace != "" || len(f.labels) > 0 {
		q.Caller = &explain.Caller{Namespace: f.namespace, Labels: map[string]string{}}
	}
	for _, l := range f.labels {
		k, v, ok := strings.Cut(l, "=")
		if !ok || k == "" {
			return nil, usagef("--from-labels: %q is not name=value", l)
		}
		q.Caller.Labels[k] = v
	}
	for _, a := range args {
		name, value, ok := cutAttribute(a)
		if !ok {
			return nil, usagef("%q is not attribute=value; write what the request says, as method=sayHello", a)
		}
		if _, twice := q.Attributes[name]; twice {
			return nil, usagef("attribute %s is given twice; leave one of them out", name)
		}
		q.Attributes[name] = value
	}
	return q, nil
}

// cutAttribute splits name=value; the key of name[key] may hold "=".
func cutAttribute(s string) (name, value string, ok bool) {
	from := 0
	if open := strings.IndexByte(s, '['); open >= 0 && open < strings.IndexByte(s, '=') {
		if end := strings.Index(s, "]="); end >= 0 {
			from = end
		}
	}
	i := strings.IndexByte(s[from:], '=')
	if i < 0 || from+i == 0 {
		return "", "", false
	}
	return s[:from+i], s[from+i+1:], true
}

// completeExplain offers the hosts of the folder and the attributes of their
// protocols.
func completeExplain(cmd *cobra.Command, in *folder, flags *asked, builtin []codec.Protocol) {
	must(cmd.RegisterFlagCompletionFunc("host", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		r, _, err := in.compile(cmd, builtin)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return explain.Hosts(r.Mesh), cobra.ShellCompDirectiveNoFileComp
	}))
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		q, err := flags.question(cmd.CommandPath(), nil)
		if err != nil {
			return nil, directive
		}
		r, _, err := in.compile(cmd, builtin)
		if err != nil {
			return nil, directive
		}
		names := explain.Attributes(r, *q)
		for i, n := range names {
			names[i] = strings.TrimSuffix(n, "*]") // name[ is what goes on
			if names[i] == n {
				names[i] += "="
			}
		}
		return names, directive
	}
}
