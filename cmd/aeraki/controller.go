package main

import (
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/explain"
)

// Where the controller listens and proxy-status asks unless told otherwise.
const (
	defaultListen = "127.0.0.1:15010"
	defaultStatus = "127.0.0.1:15080"
)

func controllerCommand(builtin []codec.Protocol) *cobra.Command {
	o := controller.Options{}
	var level string
	cmd := &cobra.Command{
		Use:   "controller --config DIR",
		Short: "Run the control plane on a folder of YAML",
		Long: "Run the control plane on a folder of YAML until SIGTERM or SIGINT. Edits are served as they are made;\n" +
			"an object that is not valid stays as it was accepted last, across restarts too (--state).",
		Example: "  aeraki controller --config ./rules\n  aeraki controller --config ./rules --listen unix:/run/aeraki/ads.sock --status \"\"",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Dir == "" {
				return usagef("--config is missing: name the folder of YAML, as in %s --config ./rules", cmd.CommandPath())
			}
			log, err := newLog(cmd.ErrOrStderr(), level)
			if err != nil {
				return err
			}
			o.Log = log
			o.Compile.Schemas = explain.Schemas(builtin)
			o.Ready = func(ads, status net.Addr) { tellReady(log, o.Dir, ads, status) }
			return controller.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "config", "", "folder of YAML; it and the folders below it are read and watched")
	f.StringVar(&o.State, "state", "", "folder of last good forms (default .aeraki/NAME beside the folder)")
	f.StringVar(&o.ADS, "listen", defaultListen, "where proxies are served: a loopback address:port, or unix:PATH")
	f.StringVar(&o.Status, "status", defaultStatus, "where the status is told: a loopback address:port, or unix:PATH; empty: nowhere")
	f.BoolVar(&o.AllowEmpty, "allow-empty", false, "let a folder that has lost all of its objects take them all away")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	addCompileFlags(f, &o.Compile)
	completeDir(cmd, "config", "state")
	completeWords(cmd, "log-level", "debug", "info", "warn", "error")
	return cmd
}

func newLog(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level %q is none of debug, info, warn and error", level)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

func tellReady(log *slog.Logger, dir string, ads, status net.Addr) {
	args := []any{"config", dir, "ads", addressText(ads)}
	if status != nil {
		args = append(args, "status", addressText(status))
	}
	log.Info("serving", args...)
}

// addressText is the address as flags and proxies' files have it.
func addressText(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}
