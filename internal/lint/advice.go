package lint

import (
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/lint/nearest"
)

// advise returns the diagnostics with the nearest name as the next step, where
// a host is named that nobody declares. What keeps an object out of force is an
// error here, even if compile only warns because an object that is still to
// come may mend it: a folder that is analyzed is whole.
func advise(r *controller.Result) []diag.Diagnostic {
	hosts := make([]string, len(r.Mesh.Services))
	for i := range r.Mesh.Services {
		hosts[i] = r.Mesh.Services[i].Host
	}
	out := slices.Clone(r.Diagnostics)
	for i, d := range out {
		if slices.ContainsFunc(r.Objects, func(s compile.ObjectStatus) bool { return !s.Accepted && s.Object == d.Object && s.Reason == d.Reason }) {
			out[i].Severity = diag.Error
		}
		if d.Reason != "HostNotFound" && d.Reason != "DestinationNotFound" {
			continue
		}
		if near := nearest.Of(quoted(d.Message), hosts); near != "" {
			out[i].Next = "did you mean " + near + "? Else " + d.Next
		}
	}
	return out
}

// quoted returns the first quoted word of a message.
func quoted(message string) string {
	_, after, _ := strings.Cut(message, `"`)
	word, _, _ := strings.Cut(after, `"`)
	return word
}
