package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// Text renders the answer for a terminal.
func (a *Answer) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "request   %s:%d (%s)%s\n", a.Host, a.Port, a.Protocol, a.requestText())
	fmt.Fprintf(&b, "from      %s\n", a.fromText())
	fmt.Fprintf(&b, "rules     %s\n\n", a.rulesText())
	for i := range a.Steps {
		a.Steps[i].text(&b)
	}
	if a.Outcome != nil {
		b.WriteByte('\n')
		a.Outcome.text(&b)
	}
	for i, n := range a.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "note      %s\n", n)
	}
	return b.String()
}

func (a *Answer) requestText() string {
	var b strings.Builder
	for _, at := range a.Request {
		fmt.Fprintf(&b, " %s=%s", at.Name, at.Value)
	}
	return b.String()
}

func (a *Answer) fromText() string {
	switch {
	case a.Gateway != "":
		return "gateway " + a.Gateway + ", which does not know its callers"
	case a.Caller == nil:
		return "a workload of which nothing is known"
	}
	var parts []string
	if a.Caller.Namespace != "" {
		parts = append(parts, "namespace "+a.Caller.Namespace)
	}
	for _, k := range slices.Sorted(maps.Keys(a.Caller.Labels)) {
		parts = append(parts, k+"="+a.Caller.Labels[k])
	}
	return strings.Join(parts, " ")
}

func (a *Answer) rulesText() string {
	if a.Router == "" {
		return "no MetaRouter governs this caller: the default route"
	}
	return "MetaRouter " + a.Router
}

func (s *Step) text(b *strings.Builder) {
	verdict := "no    "
	if s.Matched {
		verdict = "taken "
	}
	fmt.Fprintf(b, "%s    %s%s\n", verdict, s.Route, s.whereText())
	if len(s.Asks) == 0 {
		b.WriteString("          asks nothing: every request matches\n")
	}
	for i, line := range s.Asks {
		word := "asks"
		if i > 0 {
			word = "or  "
		}
		fmt.Fprintf(b, "          %s  %s\n", word, line)
		if i < len(s.Why) {
			fmt.Fprintf(b, "          but   %s\n", s.Why[i])
		}
	}
}

func (s *Step) whereText() string {
	if s.File == "" {
		return ""
	}
	return fmt.Sprintf(" (%s:%d)", s.File, s.Line)
}

func (o *Outcome) text(b *strings.Builder) {
	for i, c := range o.Clusters {
		word := "goes to "
		if i > 0 {
			word = "        "
		}
		fmt.Fprintf(b, "%s  %5s  %s\n", word, percent(c.Share), c.Cluster)
		fmt.Fprintf(b, "                 %s\n", c.endpointsText())
	}
	timeout := o.Timeout
	if timeout == "" {
		timeout = "none but the client's own"
	}
	fmt.Fprintf(b, "timeout   %s\n", timeout)
	for i, h := range o.Hash {
		word := "hash    "
		if i > 0 {
			word = "        "
		}
		fmt.Fprintf(b, "%s  %s\n", word, h.text())
	}
	if m := o.Mirror; m != nil {
		fmt.Fprintf(b, "mirror    %5s  %s\n", percent(m.Share), m.Cluster)
		fmt.Fprintf(b, "                 %s\n", m.endpointsText())
	}
	mutationsText(b, "request ", o.Request)
	mutationsText(b, "reply   ", o.Reply)
}

func (d *Destination) endpointsText() string {
	if len(d.Endpoints) == 0 {
		return "no endpoints"
	}
	text := string(d.LoadBalancer) + " over " + strings.Join(d.Endpoints, ", ")
	if d.Discovery == ir.DNS {
		text += " (by DNS)"
	}
	return text
}

func (h *HashPart) text() string {
	switch {
	case h.SourceAddress:
		return "the caller's address"
	case h.Value == nil:
		return h.Property + ", which the request does not have"
	}
	return h.Property + "=" + *h.Value
}

func mutationsText(b *strings.Builder, word string, all []Mutation) {
	for _, m := range all {
		fmt.Fprintf(b, "%s  %s %s", word, m.Op, m.Property)
		if m.Op != "remove" {
			fmt.Fprintf(b, "=%s", m.Value)
		}
		b.WriteByte('\n')
	}
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) + " %" }
