package xdsserver

import (
	"maps"
	"slices"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

// absent is the version of a resource that the proxy was told is not there.
const absent = ""

// subscription is what one proxy wants of one type, and what it has.
type subscription struct {
	wildcard bool
	answered bool // something was sent
	names    map[string]bool
	// sent is the version of each resource that was sent last.
	sent map[string]string
	// nonce is that of the push in flight, "" if there is none; pushed are the
	// versions that it holds.
	nonce  string
	pushed map[string]string
	// acked is the version of each resource that the proxy has in force;
	// refused are those that it would not take.
	acked   map[string]string
	refused map[string]Refusal
}

// Refusal is a NACK.
type Refusal struct {
	Version string `json:"version"`
	Error   string `json:"error"`
}

func newSubscription(r *discoveryv3.DeltaDiscoveryRequest, mayBeWildcard bool) *subscription {
	s := &subscription{names: map[string]bool{}, sent: map[string]string{}, acked: map[string]string{}, refused: map[string]Refusal{}}
	// A proxy that comes back says what it has: that is not sent again.
	for name, version := range r.InitialResourceVersions {
		s.sent[name], s.acked[name] = version, version
	}
	// Without names, the first request of listeners asks for all of them.
	s.wildcard = mayBeWildcard && len(r.ResourceNamesSubscribe) == 0
	return s
}

// update takes the names and the answer of a request. It returns the refusal's
// text, "" for an ACK, and whether the request answered the push in flight.
func (s *subscription) update(r *discoveryv3.DeltaDiscoveryRequest, mayBeWildcard bool) (refusal string, answered bool) {
	for _, name := range r.ResourceNamesSubscribe {
		if name == "*" && mayBeWildcard {
			s.wildcard = true
			continue
		}
		// Who subscribes again wants it again (xDS: the client may have
		// dropped it), except for what it says that it has.
		if _, has := r.InitialResourceVersions[name]; !has {
			delete(s.sent, name)
		}
		s.names[name] = true
	}
	for _, name := range r.ResourceNamesUnsubscribe {
		if name == "*" {
			s.wildcard = false
			continue
		}
		delete(s.names, name)
		if !s.wildcard {
			s.forget(name)
		}
	}
	if r.ResponseNonce == "" || r.ResponseNonce != s.nonce {
		return "", false
	}
	s.answer(r.ErrorDetail)
	return r.ErrorDetail.GetMessage(), true
}

// answer records what became of the push in flight; refusal is nil for an ACK.
func (s *subscription) answer(refusal *statuspb.Status) {
	for name, version := range s.pushed {
		if refusal != nil {
			s.refused[name] = Refusal{Version: version, Error: refusal.GetMessage()}
			continue
		}
		delete(s.refused, name)
		if version == absent {
			delete(s.acked, name)
			if !s.names[name] {
				s.forget(name) // only the wildcard wanted it
			}
		} else if _, still := s.sent[name]; still {
			s.acked[name] = version
		}
	}
	s.nonce, s.pushed = "", nil
}

func (s *subscription) forget(name string) {
	delete(s.sent, name)
	delete(s.acked, name)
	delete(s.refused, name)
}

// diff is what would have to be sent.
type diff struct {
	upserts []string
	// missing were asked for and never there; gone were sent before.
	missing, gone []string
}

func (d *diff) empty() bool { return len(d.upserts) == 0 && len(d.missing) == 0 && len(d.gone) == 0 }

// lookup finds a resource for this proxy; withheld ones are as if unchanged.
type lookup interface {
	get(typeURL, name string) (r Resource, there, withheld bool)
	own(typeURL string) []string
}

func (s *subscription) diff(typeURL string, l lookup) diff {
	var d diff
	for _, name := range s.wanted(typeURL, l) {
		r, there, withheld := l.get(typeURL, name)
		version, sent := s.sent[name]
		switch {
		case withheld:
		case there && (!sent || version != r.Version):
			d.upserts = append(d.upserts, name)
		case !there && sent && version != absent:
			d.gone = append(d.gone, name)
		case !there && !sent:
			d.missing = append(d.missing, name)
		}
	}
	return d
}

// wanted returns the names that the subscription covers, sorted; for a
// wildcard also those that were sent and may be gone.
func (s *subscription) wanted(typeURL string, l lookup) []string {
	names := slices.Collect(maps.Keys(s.names))
	if s.wildcard {
		names = append(names, l.own(typeURL)...)
		for name, version := range s.sent {
			if version != absent {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
