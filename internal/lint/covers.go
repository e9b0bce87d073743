package lint

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// covers reports whether every request that fits b fits a too, as far as that
// can be told from the two: false is no proof of the opposite.
func covers(a, b *ir.Match) bool {
	if !sourceCovers(a.Source, b.Source) {
		return false
	}
	for i := range a.Properties {
		if !slices.ContainsFunc(b.Properties, func(p ir.PropertyMatch) bool { return implies(&p, &a.Properties[i]) }) {
			return false
		}
	}
	return true
}

func sourceCovers(a, b *ir.SourceMatch) bool {
	if a == nil {
		return true
	}
	if b == nil {
		b = &ir.SourceMatch{}
	}
	for k, v := range a.Labels {
		if have, ok := b.Labels[k]; !ok || have != v {
			return false
		}
	}
	return a.Namespace == "" || a.Namespace == b.Namespace
}

// implies reports whether a value that fits b fits a. Both are compared by the
// engine's rules: what is absent fits only absent, or what is inverted.
func implies(b, a *ir.PropertyMatch) bool {
	if a.Property != b.Property {
		return false
	}
	if *a == *b {
		return true
	}
	switch {
	case b.Kind == ir.Absent && !b.Invert || b.Kind == ir.Present && b.Invert:
		return fitsAbsent(a)
	case asksPresence(a) && asksPresence(b):
		return true
	case b.Invert:
		return false
	case b.Kind == ir.Exact:
		return fits(a, b.Value)
	case asksPresence(a):
		return true // b asks for a value, so there is one
	case a.Invert:
		return false
	case a.Kind == ir.Prefix && b.Kind == ir.Prefix:
		return strings.HasPrefix(b.Value, a.Value)
	case a.Kind == ir.Suffix && b.Kind == ir.Suffix:
		return strings.HasSuffix(b.Value, a.Value)
	case a.Kind == ir.Range && b.Kind == ir.Range:
		return a.Start <= b.Start && b.End <= a.End
	}
	return false
}

func asksPresence(p *ir.PropertyMatch) bool {
	return p.Kind == ir.Present && !p.Invert || p.Kind == ir.Absent && p.Invert
}

func fitsAbsent(a *ir.PropertyMatch) bool { return (a.Kind == ir.Absent) != a.Invert }

func fits(a *ir.PropertyMatch, value string) bool {
	fit := false
	switch a.Kind {
	case ir.Exact:
		fit = value == a.Value
	case ir.Prefix:
		fit = strings.HasPrefix(value, a.Value)
	case ir.Suffix:
		fit = strings.HasSuffix(value, a.Value)
	case ir.Regex:
		re, err := regexp.Compile(`\A(?:` + a.Value + `)\z`)
		if err != nil {
			return false
		}
		fit = re.MatchString(value)
	case ir.Present:
		fit = true
	case ir.Range:
		n, err := strconv.ParseInt(value, 10, 64)
		fit = err == nil && value[0] != '+' && n >= a.Start && n < a.End
	}
	return fit != a.Invert
}
