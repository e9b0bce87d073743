package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/internal/bootstrap"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
)

// readNode returns what the proxy with this configuration file says of itself.
// The file does not tell which codecs the program has; it is taken to have all
// that the folder names.
func readNode(file string, r *controller.Result) (*corev3.Node, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--node: %v; name the configuration file of an aeraki-proxy", err)
	}
	if data, err = completeNode(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, err := bootstrap.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c.XDSNode(codecs(r), filterNames())
}

// completeNode adds what a file of node and listeners alone lacks.
func completeNode(data []byte) ([]byte, error) {
	fields := map[string]any{}
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if _, ok := fields["controlPlane"]; ok {
		return data, nil
	}
	return append(data, []byte("\ncontrolPlane: {address: \""+defaultListen+"\"}\n")...), nil
}

// codecs are those of all managed ports.
func codecs(r *controller.Result) []string {
	names := map[string]bool{}
	for i := range r.Mesh.Services {
		for _, p := range r.Mesh.Services[i].Ports {
			names[p.Codec] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func filterNames() []string {
	var names []string
	for _, f := range filters.Builtin() {
		names = append(names, f.Name())
	}
	return names
}
