// Package diag is what the project tells its users about their resources: one
// type, made wherever something is found wrong, shown by the CLI, the log, the
// status endpoint and later by conditions and the webhook. It knows neither
// resources nor where they come from.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a diagnostic means for traffic.
type Severity string

// Error: the form of the object that has it is not put in force. Warning: it
// is, or the fault lies with another object. Info: nothing is wrong.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Object names the resource that a diagnostic is about. All fields are empty
// where none could be read.
type Object struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// String renders "Kind namespace/name".
func (o Object) String() string {
	if o.Kind == "" {
		return ""
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// Compare orders objects by kind, namespace and name.
func (o Object) Compare(p Object) int {
	return cmp.Or(strings.Compare(o.Kind, p.Kind), strings.Compare(o.Namespace, p.Namespace), strings.Compare(o.Name, p.Name))
}

// Diagnostic is one finding. It is plain data; two that say the same are equal.
type Diagnostic struct {
	Object Object `json:"object"`
	// File is the path as the source saw it; empty where there is none.
	File string `json:"file,omitempty"`
	// Line is 1-based; 0 where there is none.
	Line int `json:"line,omitempty"`
	// Field is the path of the field at fault: "spec.routes[0].match".
	Field string `json:"field,omitempty"`
	// Reason is one CamelCase word, stable over releases.
	Reason   string   `json:"reason"`
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
	// Next is the next step: what the user can do about it.
	Next string `json:"next,omitempty"`
}

// String renders "file:line: severity: Kind ns/name: field: message [Reason] (next step)".
// What a diagnostic does not have is left out.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File)
		if d.Line > 0 {
			fmt.Fprintf(&b, ":%d", d.Line)
		}
		b.WriteString(": ")
	}
	for _, part := range []string{string(d.Severity), d.Object.String(), d.Field} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(d.Message)
	if d.Reason != "" {
		fmt.Fprintf(&b, " [%s]", d.Reason)
	}
	if d.Next != "" {
		fmt.Fprintf(&b, " (%s)", d.Next)
	}
	return b.String()
}

// Sort orders diagnostics by file, line, object, field, reason and message, so
// that the same findings always read the same, and drops repeated ones.
func Sort(ds []Diagnostic) []Diagnostic {
	slices.SortFunc(ds, compare)
	return slices.Compact(ds)
}

func compare(a, b Diagnostic) int {
	return cmp.Or(
		strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), a.Object.Compare(b.Object),
		strings.Compare(a.Field, b.Field), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message),
		strings.Compare(string(a.Severity), string(b.Severity)), strings.Compare(a.Next, b.Next),
	)
}

// HasErrors reports whether any of them is an error.
func HasErrors(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// HasReason reports whether any of them has the reason.
func HasReason(ds []Diagnostic, reason string) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Reason == reason })
}

// Text renders them one per line, in the order given.
func Text(ds []Diagnostic) string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(d.String())
		b.WriteByte('\n')
	}
	return b.String()
}
