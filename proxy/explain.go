package proxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// What /explain shows.
type explainJSON struct {
	Listener string      `json:"listener"`
	Route    *routeJSON  `json:"route"` // null: no route matches
	Not      []whyNotRow `json:"notTaken,omitempty"`
}

type whyNotRow struct {
	Route string   `json:"route"`
	Why   []string `json:"why"`
}

// described is a request given by its properties.
type described map[codec.Ref]codec.Value

// Get implements route.Getter.
func (d described) Get(_ []byte, _ *codec.Message, r codec.Ref) (codec.Value, bool) {
	v, ok := d[r]
	return v, ok
}

// describeRequest reads properties as users name them.
func describeRequest(p codec.Protocol, properties map[string]string) (described, error) {
	d := described{}
	for name, text := range properties {
		ref, err := codec.FindProperty(p.Properties(), name)
		if err != nil {
			return nil, err
		}
		v := codec.Value{Bytes: []byte(text)}
		if p.Properties()[ref.Property].Type == codec.Int {
			if v.Int, err = strconv.ParseInt(text, 10, 64); err != nil {
				return nil, fmt.Errorf("attribute %s: %q is not an integer", name, text)
			}
			v.IsInt = true
		}
		d[ref] = v
	}
	return d, nil
}

// explain asks the route table in force.
func (p *process) explain(name string, properties map[string]string) (any, error) {
	config, _ := p.listeners.inForce()
	var l *engine.Listener
	var names []string
	if config != nil {
		for _, lc := range config.Listeners {
			names = append(names, lc.Name)
			if lc.Name == name {
				l = lc
			}
		}
	}
	if l == nil {
		return nil, fmt.Errorf("listener %q is not one of %s", name, strings.Join(names, ", "))
	}
	d, err := describeRequest(l.Protocol, properties)
	if err != nil {
		return nil, err
	}
	out := explainJSON{Listener: name}
	for _, step := range l.Routes.Explain(l.Protocol.Properties(), d, nil, nil) {
		if step.Matched {
			v := routeView(l.Routes, step.Route, l.Protocol.Properties())
			out.Route = &v
			break
		}
		out.Not = append(out.Not, whyNotRow{Route: step.Route.Name, Why: step.Why})
	}
	return out, nil
}
