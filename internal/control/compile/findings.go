package compile

import (
	"cmp"
	"fmt"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// weight says what a finding does to the form that has it.
type weight uint8

// note changes nothing. dependency keeps out a form that was not accepted
// before: another object is missing or does not fit; a form that was in force
// already stays. fault keeps the form out always.
const (
	note weight = iota
	dependency
	fault
)

// finding is something to tell of one form.
type finding struct {
	weight                       weight
	field, reason, message, next string
}

// ReasonUnread is the reason of an object whose current form the source could
// not read; the source's diagnostics say more.
const ReasonUnread = "Unread"

// reasonHostNotFound: there is no service of which to say what it serves.
const reasonHostNotFound = "HostNotFound"

// findings collects what is found in one form.
type findings []finding

func (f *findings) add(w weight, field, reason, next, format string, args ...any) {
	*f = append(*f, finding{weight: w, field: field, reason: reason, next: next, message: fmt.Sprintf(format, args...)})
}

// worst returns the finding of the greatest weight, nil if there is none.
func (f findings) worst() *finding {
	var w *finding
	for i := range f {
		if w == nil || f[i].weight > w.weight {
			w = &f[i]
		}
	}
	return w
}

// weight is that of the worst.
func (f findings) weight() weight {
	if w := f.worst(); w != nil {
		return w.weight
	}
	return note
}

// report makes diagnostics of what was found in the form.
func (c *compiler) report(m *resource.Meta, found findings) {
	for _, f := range found {
		severity := diag.Warning
		if f.weight == fault {
			severity = diag.Error
		}
		c.diagnostics = append(c.diagnostics, diag.Diagnostic{Object: m.Key.Diag(), File: m.File, Line: m.At(f.field),
			Field: f.field, Reason: f.reason, Message: f.message, Next: f.next, Severity: severity})
	}
}

// chosen is the form of an object that is put in force, with what was made of
// it.
type chosen[T, R any] struct {
	form *resource.Form[T]
	made R
}

// choose makes something of the current form of an object or, if that is not
// fit, of its last good one. It reports what it found in the current form and
// notes the object's status. false: neither form is fit; fallback says what is
// in force then.
func choose[T, R any](c *compiler, o resource.Object[T], fallback string, make func(*resource.Form[T]) (R, findings)) (chosen[T, R], bool) {
	status := &ObjectStatus{Object: o.Key.Diag(), InForce: None, Reason: ReasonUnread, Message: "the form that the source has is not valid"}
	c.status[o.Key] = status
	var found findings
	if f := o.Current; f != nil {
		status.File, status.Reason, status.Message = f.File, "", ""
		var made R
		made, found = make(f)
		if worst := found.worst(); worst != nil {
			status.Reason, status.Message = worst.reason, worst.message
		}
		known := o.LastGood != nil && o.LastGood.Hash == f.Hash
		if w := found.weight(); w == note || w == dependency && known {
			c.report(&f.Meta, found)
			status.InForce, status.Accepted = Current, true
			c.accepted[o.Key] = f.Hash
			return chosen[T, R]{f, made}, true
		}
	}
	if f := o.LastGood; f != nil {
		status.File = cmp.Or(status.File, f.File)
		if made, old := make(f); old.weight() < fault {
			status.InForce, fallback = LastGood, "the form accepted before stays in force"
			reportUnfit(c, o.Current, found, fallback)
			return chosen[T, R]{f, made}, true
		}
	}
	reportUnfit(c, o.Current, found, fallback)
	return chosen[T, R]{}, false
}

// reportUnfit reports what keeps a form out, with what is in force instead.
func reportUnfit[T any](c *compiler, f *resource.Form[T], found findings, instead string) {
	if f == nil {
		return // the source has told
	}
	for i := range found {
		if found[i].weight != note && found[i].reason != reasonHostNotFound {
			found[i].message += "; " + instead
		}
	}
	c.report(&f.Meta, found)
}

// refuse takes an object that was fit out of force because another one has
// what it asks for.
func (c *compiler) refuse(m *resource.Meta, f finding) {
	c.report(m, findings{f})
	if s := c.status[m.Key]; s != nil {
		s.InForce, s.Accepted, s.Reason, s.Message = None, false, f.reason, f.message
	}
	delete(c.accepted, m.Key)
}

func conflict(field, reason, next, format string, args ...any) finding {
	return finding{weight: dependency, field: field, reason: reason, next: next, message: fmt.Sprintf(format, args...)}
}
