package compile

import (
	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
)

// workload is a WorkloadEntry in force.
type workload struct {
	form *resource.Form[*networkingv1.WorkloadEntry]
}

func (c *compiler) compileWorkloads(objects []resource.Object[*networkingv1.WorkloadEntry]) {
	for _, o := range objects {
		ch, ok := choose(c, o, "no service has the endpoint", func(f *resource.Form[*networkingv1.WorkloadEntry]) (struct{}, findings) {
			var found findings
			checkAddress(&found, "spec.address", f.Spec.Address)
			return struct{}{}, found
		})
		if ok {
			c.workloads = append(c.workloads, workload{ch.form})
		}
	}
}

// selected returns the workloads of the namespace that have all the labels, in
// the order of their names.
func (c *compiler) selected(namespace string, labels map[string]string) []workload {
	var out []workload
	for _, w := range c.workloads {
		if w.form.Key.Namespace == namespace && hasLabels(w.labels(), labels) {
			out = append(out, w)
		}
	}
	return out
}

// labels are those of the spec or, where it has none, of the object, as Istio
// does it.
func (w workload) labels() map[string]string {
	if len(w.form.Spec.Labels) > 0 {
		return w.form.Spec.Labels
	}
	return w.form.Labels
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
