package proxy

import (
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/internal/engine/route"
)

// What /config shows.
type (
	configJSON struct {
		Version   string         `json:"version"`
		Listeners []listenerJSON `json:"listeners"`
		Resources any            `json:"xds"`
	}
	listenerJSON struct {
		Name     string      `json:"name"`
		Address  string      `json:"address"` // as it is bound; "" while it is not
		Protocol string      `json:"protocol"`
		Host     string      `json:"destination"`
		Routes   string      `json:"routeConfiguration"`
		InForce  []routeJSON `json:"routes"`
	}
	routeJSON struct {
		Name     string        `json:"name"`
		Match    []string      `json:"match,omitempty"` // one of them; none: everything
		Clusters []clusterJSON `json:"clusters"`
		Timeout  string        `json:"timeout,omitempty"`
		Copies   []string      `json:"mirrors,omitempty"`
	}
	clusterJSON struct {
		Name   string `json:"name"`
		Weight uint32 `json:"weight"`
	}
)

// configView shows the configuration in force and what the control plane
// sent: xds is the client's status.
func configView(l *listeners, xds any) configJSON {
	config, open := l.inForce()
	v := configJSON{Resources: xds, Listeners: []listenerJSON{}}
	if config == nil {
		return v
	}
	v.Version = config.Version
	for _, lc := range config.Listeners {
		x := listenerJSON{Name: lc.Name, Protocol: lc.Protocol.Traits().Name, Host: lc.Destination.Host, Routes: lc.Routes.Name}
		if addr, ok := open[lc.Name]; ok {
			x.Address = addr.String()
		}
		for _, r := range lc.Routes.Routes {
			x.InForce = append(x.InForce, routeView(lc.Routes, r, lc.Protocol.Properties()))
		}
		v.Listeners = append(v.Listeners, x)
	}
	return v
}

func routeView(t *route.Table, r *route.Route, properties []codec.Property) routeJSON {
	x := routeJSON{Name: r.Name, Match: t.Describe(r, properties), Copies: r.CopyClusters}
	for _, c := range r.Clusters {
		x.Clusters = append(x.Clusters, clusterJSON{Name: c.Name, Weight: c.Weight})
	}
	if r.Timeout > 0 {
		x.Timeout = r.Timeout.String()
	}
	return x
}
