// Package proxy runs the standalone engine as a program. The stock
// aeraki-proxy is this package with the built-in protocols and filters; who
// has a protocol of their own writes a main of ten lines that passes it to
// Main. See docs/protocols/awesomerpc.md.
package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Main runs the program called name with these protocols and filters, and
// exits: 0 after a graceful end, 1 after an error, which it prints.
func Main(name string, protocols []codec.Protocol, filters []filter.Filter) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	cmd := Command(name, protocols, filters)
	err := cmd.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Command returns the program's command line: the proxy itself, and describe.
func Command(name string, protocols []codec.Protocol, filters []filter.Filter) *cobra.Command {
	var o Options
	var level slog.Level
	cmd := &cobra.Command{
		Use:           name,
		Short:         "Manage non-HTTP traffic request by request",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Protocols, o.Filters, o.LogLevel, o.Log = protocols, filters, level, cmd.ErrOrStderr()
			return Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.ConfigFile, "config", "", "the proxy's configuration file (YAML)")
	cmd.Flags().TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.AddCommand(describeCommand(protocols))
	return cmd
}

// Options is what Run runs.
type Options struct {
	ConfigFile string
	Protocols  []codec.Protocol
	Filters    []filter.Filter
	LogLevel   slog.Level
	Log        io.Writer // gets one line of text per event
}
