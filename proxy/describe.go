package proxy

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/aeraki-mesh/aeraki/codec"
)

// The ApplicationProtocol resource as describe prints it. The proxy links no
// Kubernetes package, so these are the resource's fields, not its Go types;
// the control plane's tests read what this prints.
type (
	applicationProtocol struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Spec       spec     `json:"spec"`
	}
	metadata struct {
		Name string `json:"name"`
	}
	spec struct {
		Protocol   string     `json:"protocol"`
		Codec      string     `json:"codec"`
		Parallel   bool       `json:"parallel,omitempty"`
		Properties []property `json:"properties"`
	}
	property struct {
		Name     string `json:"name"`
		Keyed    bool   `json:"keyed,omitempty"`
		Fallback bool   `json:"fallback,omitempty"`
		Type     string `json:"type"`
		Mutable  bool   `json:"mutable,omitempty"`
		Doc      string `json:"doc,omitempty"`
	}
)

func describeCommand(protocols []codec.Protocol) *cobra.Command {
	return &cobra.Command{
		Use:   "describe [PROTOCOL]...",
		Short: "Print the ApplicationProtocol resource of each protocol, or of those named",
		Long: "Print the ApplicationProtocol resource of each protocol that this program has, or of those named.\n" +
			"Applied beside the rules, it tells the control plane which attributes they may use.",
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, n := range names {
				if !slices.ContainsFunc(protocols, func(p codec.Protocol) bool { return p.Traits().Name == n }) {
					return fmt.Errorf("this program has no protocol %q", n)
				}
			}
			for _, p := range protocols {
				if len(names) > 0 && !slices.Contains(names, p.Traits().Name) {
					continue
				}
				if err := describe(cmd.OutOrStdout(), p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func describe(out io.Writer, p codec.Protocol) error {
	t := p.Traits()
	r := applicationProtocol{APIVersion: "metaprotocol.aeraki.io/v1alpha1", Kind: "ApplicationProtocol",
		Metadata: metadata{Name: t.Name}, Spec: spec{Protocol: t.Name, Codec: t.Name, Parallel: t.Parallel}}
	_, mutator := p.(codec.Mutator)
	for _, x := range p.Properties() {
		r.Spec.Properties = append(r.Spec.Properties, property{Name: x.Name, Keyed: x.Keyed, Fallback: x.Fallback,
			Type: x.Type.String(), Mutable: x.Mutable && mutator, Doc: x.Doc})
	}
	b, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "---\n%s", b)
	return err
}
