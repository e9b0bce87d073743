// Package lint finds what is valid in a folder but hardly meant: slips that
// the control plane accepts because they break nothing. What is wrong is
// compile's to say; lint repeats that, with better advice where it knows some.
package lint

import (
	"fmt"

	"github.com/aeraki-mesh/aeraki/internal/control/compile"
	"github.com/aeraki-mesh/aeraki/internal/control/controller"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// Findings returns the diagnostics of the result and the findings, sorted. What
// keeps an object out of force is an error, a slip that changes what traffic does is a warning, what is only good to know
// is an Info.
func Findings(r *controller.Result) []diag.Diagnostic {
	l := &linter{r: r, protocols: protocolNames(r)}
	l.ports()
	l.routes()
	l.subsets()
	return diag.Sort(append(advise(r), l.found...))
}

// linter collects the findings of one result.
type linter struct {
	r *controller.Result
	// protocols that port names may have, sorted.
	protocols []string
	found     []diag.Diagnostic
}

// finding is what all of a linter's methods add.
type finding struct {
	severity            diag.Severity
	field, reason, next string
}

func (l *linter) add(m *resource.Meta, f finding, format string, args ...any) {
	l.found = append(l.found, diag.Diagnostic{Object: m.Key.Diag(), File: m.File, Line: m.At(f.field), Field: f.field,
		Reason: f.reason, Message: fmt.Sprintf(format, args...), Next: f.next, Severity: f.severity})
}

// current is the form that the user wrote, nil if it is not in force: lint
// speaks of nothing that is refused anyway.
func current[T any](l *linter, o resource.Object[T]) *resource.Form[T] {
	if s := l.r.Status(o.Key.Diag()); s == nil || s.InForce != compile.Current {
		return nil
	}
	return o.Current
}
