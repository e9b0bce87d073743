package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// asks says what a match asks for, its source included: the engine's table has
// forgotten the source once it holds.
func asks(m *ir.Match) string {
	var parts []string
	for i := range m.Properties {
		parts = append(parts, propertyAsks(&m.Properties[i]))
	}
	if s := m.Source; s != nil {
		if s.Namespace != "" {
			parts = append(parts, fmt.Sprintf("source namespace %q", s.Namespace))
		}
		for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
			parts = append(parts, fmt.Sprintf("source label %s=%q", k, s.Labels[k]))
		}
	}
	return strings.Join(parts, " and ")
}

func propertyAsks(p *ir.PropertyMatch) string {
	var s string
	switch p.Kind {
	case ir.Present, ir.Absent:
		s = string(p.Kind)
	case ir.Range:
		s = fmt.Sprintf("range [%d, %d)", p.Start, p.End)
	default:
		s = fmt.Sprintf("%s %q", p.Kind, p.Value)
	}
	if p.Invert {
		s = "not " + s
	}
	return p.Property + " " + s
}
