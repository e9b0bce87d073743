package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// folder is the input of the commands that work offline.
type folder struct {
	dir     string
	options controller.CompileOptions
}

func addCompileFlags(f *pflag.FlagSet, o *compile.Options) {
	f.StringVar(&o.RootNamespace, "root-namespace", "istio-system", "namespace of mesh-wide resources")
	f.BoolVar(&o.MeshScopedRouters, "mesh-scoped-routers", false, "let a MetaRouter of any namespace govern every client, as upstream Aeraki does")
}

func (o *folder) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.dir, "filename", "f", "", "folder of YAML")
	f.StringVar(&o.options.State, "state", "", "folder of last good forms of a controller; without it the folder is seen alone")
	addCompileFlags(f, &o.options.Options)
	completeDir(cmd, "filename", "state")
}

// compile reads and compiles the folder.
func (o *folder) compile(cmd *cobra.Command, builtin []codec.Protocol) (*controller.Result, []diag.Diagnostic, error) {
	if o.dir == "" {
		return nil, nil, usagef("-f is missing: name the folder of YAML, as in %s -f ./rules", cmd.CommandPath())
	}
	info, err := os.Stat(o.dir)
	switch {
	case os.IsNotExist(err):
		return nil, nil, usagef("there is no folder %s; name an existing one with -f", o.dir)
	case err != nil:
		return nil, nil, fmt.Errorf("the folder cannot be read: %w", err)
	case !info.IsDir():
		return nil, nil, usagef("%s is a file; name the folder that it is in with -f", o.dir)
	}
	o.options.Schemas = explain.Schemas(builtin)
	return controller.CompileDir(o.dir, o.options)
}

// tellFolder writes a line to stderr if the folder has errors: what is shown
// is then not all that the user wrote.
func tellFolder(w io.Writer, found []diag.Diagnostic) error {
	errorCount := 0
	for _, d := range found {
		if d.Severity == diag.Error {
			errorCount++
		}
	}
	if errorCount == 0 {
		return nil
	}
	fmt.Fprintf(w, "aeraki: the folder has errors (%d), so this is not all that it says; aeraki analyze tells them\n", errorCount)
	return errFindings
}
