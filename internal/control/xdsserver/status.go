package xdsserver

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxGone is how many proxies that have disconnected are remembered.
const maxGone = 100

// ProxyStatus is what is known of one proxy.
type ProxyStatus struct {
	Node         string    `json:"node"`
	Connected    time.Time `json:"connected"`
	Disconnected time.Time `json:"disconnected,omitzero"` // zero: connected
	// View is the version of the view that it was last sent resources of.
	View string `json:"view"`
	// Synced: everything that it wants was sent, and taken.
	Synced   bool         `json:"synced"`
	Pushes   uint64       `json:"pushes"`
	Types    []TypeStatus `json:"types"`
	Problems []Problem    `json:"problems,omitempty"`
}

// TypeStatus is one type of resources of a proxy.
type TypeStatus struct {
	Type string `json:"type"`
	// InFlight: a push waits for its answer.
	InFlight  bool             `json:"inFlight,omitempty"`
	Resources []ResourceStatus `json:"resources"`
}

// ResourceStatus is one resource that a proxy wants.
type ResourceStatus struct {
	Name string `json:"name"`
	// Sent and Acked are versions: Acked is in force. Empty: none.
	Sent  string `json:"sent,omitempty"`
	Acked string `json:"acked,omitempty"`
	// Refused is the version that the proxy would not take, and why.
	Refused *Refusal `json:"refused,omitempty"`
	// Withheld is why it is not sent.
	Withheld string `json:"withheld,omitempty"`
}

// Status returns the connected proxies and the last that disconnected, by name.
func (s *Server) Status() []ProxyStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.gone)
	for st := range s.streams {
		if p := st.status(); p.Node != "" {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b ProxyStatus) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), a.Connected.Compare(b.Connected))
	})
	return out
}

func (s *stream) status() ProxyStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := ProxyStatus{Node: s.node.GetId(), Connected: s.since, Pushes: s.pushes, Problems: s.forProxy.Problems}
	if s.view == nil {
		return out
	}
	out.View, out.Synced = s.view.Version, s.view == s.server.view.Load()
	for _, typeURL := range s.server.order.types {
		sub := s.subscriptions[typeURL]
		if sub == nil {
			continue
		}
		d := sub.diff(typeURL, s)
		out.Synced = out.Synced && sub.nonce == "" && len(sub.refused) == 0 && d.empty()
		t := TypeStatus{Type: typeURL, InFlight: sub.nonce != ""}
		for _, name := range slices.Sorted(maps.Keys(sub.sent)) {
			t.Resources = append(t.Resources, s.resourceStatus(sub, typeURL, name))
		}
		for _, name := range slices.Sorted(maps.Keys(sub.names)) {
			if _, sent := sub.sent[name]; !sent {
				t.Resources = append(t.Resources, s.resourceStatus(sub, typeURL, name))
			}
		}
		out.Types = append(out.Types, t)
	}
	return out
}

func (s *stream) resourceStatus(sub *subscription, typeURL, name string) ResourceStatus {
	out := ResourceStatus{Name: name, Sent: sub.sent[name], Acked: sub.acked[name]}
	if r, refused := sub.refused[name]; refused {
		out.Refused = &r
	}
	if _, _, withheld := s.get(typeURL, name); withheld {
		out.Withheld = s.forProxy.Withheld[name]
	}
	return out
}
