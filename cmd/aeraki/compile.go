package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// servedResource is a resource as compile prints it.
type servedResource struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Resource any    `json:"resource"`
}

// compiled is what compile prints.
type compiled struct {
	Resources []servedResource `json:"resources"`
	// Problems are what the proxy asks for and would not get.
	Problems []xds.Problem `json:"problems,omitempty"`
}

func compileCommand(builtin []codec.Protocol) *cobra.Command {
	var in folder
	var out output
	var node string
	cmd := &cobra.Command{
		Use:   "compile -f DIR [--node FILE]",
		Short: "Print what a controller would serve, offline",
		Long: "Print what a controller would serve of a folder, offline: the routes, clusters and endpoints of all services or,\n" +
			"with --node, exactly what the proxy with that configuration file gets. Diagnostics go to stderr.",
		Example: "  aeraki compile -f ./rules\n  aeraki compile -f ./rules --node proxy.yaml -o table",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			r, found, err := in.compile(cmd, builtin)
			if err != nil {
				return err
			}
			served := &explain.Served{Resources: r.Resources}
			if node != "" {
				if served, err = forNode(r, node); err != nil {
					return err
				}
			}
			if err := printServed(cmd.OutOrStdout(), &out, served); err != nil {
				return err
			}
			return tellCompiled(cmd.ErrOrStderr(), found, served.Problems)
		},
	}
	in.addFlags(cmd)
	out.addFlag(cmd, "yaml")
	cmd.Flags().StringVar(&node, "node", "", "configuration file of an aeraki-proxy, or only its node and listeners")
	must(cmd.MarkFlagFilename("node", "yaml", "yml"))
	return cmd
}

func printServed(w io.Writer, out *output, s *explain.Served) error {
	printed := compiled{Resources: make([]servedResource, 0, len(s.Resources)), Problems: s.Problems}
	rows := [][]string{{"TYPE", "NAME", "VERSION"}}
	for i := range s.Resources {
		r := &s.Resources[i]
		text, err := protojson.Marshal(r.Message)
		if err != nil {
			return fmt.Errorf("%s %q: %w", r.Type, r.Name, err)
		}
		printed.Resources = append(printed.Resources, servedResource{r.Type, r.Name, r.Version, json.RawMessage(text)})
		rows = append(rows, []string{shortType(r.Type), r.Name, r.Version})
	}
	return out.print(w, printed, func(w io.Writer) error { return columns(w, rows) })
}

// tellCompiled writes what is wrong; errFindings if anything is.
func tellCompiled(w io.Writer, found []diag.Diagnostic, problems []xds.Problem) error {
	fmt.Fprint(w, diag.Text(found))
	for _, p := range problems {
		fmt.Fprintf(w, "error: %s %s: %s\n", shortType(p.Type), p.Name, p.Message)
	}
	if diag.HasErrors(found) || len(problems) > 0 {
		return errFindings
	}
	return nil
}

func forNode(r *controller.Result, file string) (*explain.Served, error) {
	n, err := readNode(file, r)
	if err != nil {
		return nil, err
	}
	return explain.ForProxy(r, n)
}
