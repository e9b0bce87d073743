// Command aeraki is the control plane and the tools around it. Each subcommand
// has a file of its own; what they do is in internal/control, internal/explain
// and internal/lint.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/protocols"
)

// Exit codes.
const (
	exitOK       = 0
	exitFindings = 1 // errors, or findings that the command was to fail on
	exitUsage    = 2 // the command line is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(protocols.Builtin())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(root.ExecuteContext(ctx), stderr)
}

func exitCode(err error, stderr io.Writer) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "aeraki: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "aeraki: %v\n", err)
	return exitFindings
}

// errFindings ends a command whose findings are printed already.
var errFindings = errors.New("there are findings")

// usageError is a command line that makes no sense.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

func newRoot(builtin []codec.Protocol) *cobra.Command {
	root := &cobra.Command{
		Use:   "aeraki",
		Short: "Manage any layer-7 protocol per request",
		Long: "aeraki is the control plane of a mesh that manages Thrift, Dubbo and other layer-7 protocols per request,\n" +
			"and the tools around it. Exit codes: 0 fine, 1 errors or findings, 2 a wrong command line.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          subcommandOnly,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		controllerCommand(builtin),
		compileCommand(builtin),
		analyzeCommand(builtin),
		explainCommand(builtin),
		proxyStatusCommand(),
		versionCommand(),
	)
	return root
}

// subcommandOnly refuses words that are no subcommand, with the nearest.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q; did you mean %s %s?", args[0], cmd.CommandPath(), near[0])
	}
	return usagef("there is no command %q; %s --help lists the commands", args[0], cmd.CommandPath())
}

// noArgs refuses positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is too much: %s takes flags only; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}
