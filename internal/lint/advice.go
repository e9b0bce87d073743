package lint

import (
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/lint/nearest"
)

// advise returns the diagnostics with the nearest name as the next step, where
// a host or a protocol is named that nobody declares. What keeps an object out of force is an
// error here, even if compile only warns because an object that is still to
// come may mend it: a folder that is analyzed is whole.
func advise(r *controller.Result) []diag.Diagnostic {
	hosts := make([]string, len(r.Mesh.Services))
	for i := range r.Mesh.Services {
		hosts[i] = r.Mesh.Services[i].Host
	}
	out := slices.Clone(r.Diagnostics)
	for i, d := range out {
		if s := r.Status(d.Object); s != nil && !s.Accepted && s.Reason == d.Reason {
			out[i].Severity = diag.Error
		}
		near := ""
		switch d.Reason {
		case "HostNotFound", "DestinationNotFound":
			near = nearest.Of(quoted(d.Message), hosts)
		case "UnknownProtocol":
			// The port's name is quoted first, then the protocol in it.
			_, rest := cutQuoted(d.Message)
			if near = nearest.Of(quoted(rest), protocolNames(r)); near != "" {
				near = "tcp-" + metaprotocol + "-" + near
			}
		}
		if near != "" {
			out[i].Next = "did you mean " + near + "? Else " + d.Next
		}
	}
	return out
}

// quoted returns the first quoted word of a message.
func quoted(message string) string {
	word, _ := cutQuoted(message)
	return word
}

// cutQuoted returns the first quoted word of a message and what follows it.
func cutQuoted(message string) (word, rest string) {
	_, after, _ := strings.Cut(message, `"`)
	word, rest, _ = strings.Cut(after, `"`)
	return word, rest
}

func protocolNames(r *controller.Result) []string {
	out := make([]string, len(r.Protocols))
	for i := range r.Protocols {
		out[i] = r.Protocols[i].Name
	}
	return out
}
