package lint

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
	"github.com/aeraki-mesh/aeraki/internal/lint/nearest"
)

// metaprotocol is the word that says that a port is managed.
const metaprotocol = "metaprotocol"

// ports finds names that look as if a managed port was meant: a port whose
// name says nothing to us is plain TCP without a word.
func (l *linter) ports() {
	for _, o := range l.r.Snapshot.ServiceEntries {
		f := o.Current
		if f == nil {
			continue
		}
		for i, p := range f.Spec.Ports {
			if l.managed(f, p.Number) || saysManaged(p.Name) {
				continue
			}
			meant := l.portMeant(strings.ToLower(p.Name))
			if meant == "" {
				continue
			}
			l.add(&f.Meta, finding{diag.Warning, fmt.Sprintf("spec.ports[%d].name", i), "MisnamedPort", "write " + meant},
				"port %q is plain TCP: its name names no known protocol as tcp-metaprotocol-<protocol> does", p.Name)
		}
	}
}

func (l *linter) managed(f *resource.Form[*networkingv1.ServiceEntry], number uint32) bool {
	for _, host := range f.Spec.Hosts {
		if s := l.r.Mesh.Service(host); s != nil && s.Port(number) != nil {
			return true
		}
	}
	return false
}

// saysManaged: the name is right as far as the protocol; compile tells what is
// wrong with that, and the service as a whole.
func saysManaged(name string) bool {
	return strings.HasPrefix(strings.ToLower(name)+"-", "tcp-"+metaprotocol+"-")
}

// portMeant returns the name that the port was probably meant to have, "" if
// it looks like no managed port: "tcp-metaprotocl-thrift", "metaprotocol_dubbo",
// "tcp-thritf", "thrift".
func (l *linter) portMeant(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for i, w := range words {
		if nearest.Distance(w, metaprotocol) > 2 || i+1 >= len(words) {
			continue
		}
		next := words[i+1]
		if near := nearest.Of(next, l.protocols); near != "" && !slices.Contains(l.protocols, next) {
			next = near
		}
		return "tcp-" + metaprotocol + "-" + next
	}
	if len(words) > 1 && words[0] == "tcp" {
		words = words[1:]
	}
	if len(words) == 0 {
		return ""
	}
	near := nearest.Of(words[0], l.protocols)
	if slices.Contains(l.protocols, words[0]) {
		near = words[0]
	}
	// Words of a few letters are near to too much.
	if near == "" || len(words[0]) < 4 {
		return ""
	}
	return "tcp-" + metaprotocol + "-" + near
}
