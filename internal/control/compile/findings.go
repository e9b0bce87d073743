package compile

import (
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
// notes the object's status. false: neither form is fit.
func choose[T, R any](c *compiler, o resource.Object[T], fallback string, make func(*resource.Form[T]) (R, findings)) (chosen[T, R], bool) {
	status := &ObjectStatus{Object: o.Key.Diag(), InForce: None, Reason: "Invalid", Message: "the form that the source has is not valid"}
	c.status[o.Key] = status
	if f := o.Current; f != nil {
		status.File = f.File
		made, found := make(f)
		known := o.LastGood != nil && o.LastGood.Hash == f.Hash
		w := found.weight()
		fit := w == note || w == dependency && known
		if worst := found.worst(); worst != nil {
			status.Reason, status.Message = worst.reason, worst.message
		} else {
			status.Reason, status.Message = "", ""
		}
		if !fit {
			found.explain(o.LastGood != nil && !known, fallback)
		}
		c.report(&f.Meta, found)
		if fit {
			status.InForce, status.Accepted = Current, true
			c.accepted[o.Key] = f.Hash
			return chosen[T, R]{f, made}, true
		}
	}
	if f := o.LastGood; f != nil {
		if status.File == "" {
			status.File = f.File
		}
		if made, found := make(f); found.weight() < fault {
			status.InForce = LastGood
			return chosen[T, R]{f, made}, true
		}
	}
	return chosen[T, R]{}, false
}

// explain adds to the message of what keeps a form out what is in force
// instead.
func (f findings) explain(lastGood bool, fallback string) {
	for i := range f {
		switch {
		case f[i].weight == note:
		case lastGood:
			f[i].message += "; the form accepted before stays in force"
		case fallback != "":
			f[i].message += "; " + fallback
		}
	}
}

// refuse takes an object that was fit out of force because another one has
// what it asks for.
func (c *compiler) refuse(m *resource.Meta, field, reason, next, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	c.report(m, findings{{weight: dependency, field: field, reason: reason, next: next, message: message}})
	if s := c.status[m.Key]; s != nil {
		s.InForce, s.Accepted, s.Reason, s.Message = None, false, reason, message
	}
	delete(c.accepted, m.Key)
}
