package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/lint"
)

func analyzeCommand(builtin []codec.Protocol) *cobra.Command {
	var in folder
	var out output
	var failOn string
	cmd := &cobra.Command{
		Use:   "analyze -f DIR",
		Short: "Check a folder of YAML: errors, warnings and likely slips",
		Long: "Check a folder of YAML as a controller would, and for what is valid but hardly meant: misnamed ports, routes\n" +
			"that can never match, subsets that nobody uses or that have no endpoints, and the like.\n" +
			"One line per finding, by file and line. Exit code 1 if there is an error (--fail-on warning: or a warning).",
		Example: "  aeraki analyze -f ./rules\n  aeraki analyze -f ./rules --fail-on warning -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if failOn != string(diag.Error) && failOn != string(diag.Warning) {
				return usagef("--fail-on %q is neither error nor warning", failOn)
			}
			r, _, err := in.compile(cmd, builtin)
			if err != nil {
				return err
			}
			found := lint.Findings(r)
			if err := out.print(cmd.OutOrStdout(), found, func(w io.Writer) error { return findingsText(w, found) }); err != nil {
				return err
			}
			if count(found, diag.Error) > 0 || failOn == string(diag.Warning) && count(found, diag.Warning) > 0 {
				return errFindings
			}
			return nil
		},
	}
	in.addFlags(cmd)
	out.addFlag(cmd, "table")
	cmd.Flags().StringVar(&failOn, "fail-on", string(diag.Error), "what makes the exit code 1: error or warning")
	completeWords(cmd, "fail-on", string(diag.Error), string(diag.Warning))
	return cmd
}

func findingsText(w io.Writer, found []diag.Diagnostic) error {
	_, err := fmt.Fprintf(w, "%serrors: %d, warnings: %d, hints: %d\n", diag.Text(found),
		count(found, diag.Error), count(found, diag.Warning), count(found, diag.Info))
	return err
}

func count(found []diag.Diagnostic, s diag.Severity) int {
	n := 0
	for _, d := range found {
		if d.Severity == s {
			n++
		}
	}
	return n
}
