package controller

import (
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/aeraki-mesh/aeraki/internal/control/translate/xds"
)

// nodes keeps what proxies say of themselves in its parsed form, for as long as
// they are asked for once per view: parsing costs more than all else that a
// view does for a proxy that it does not concern. A stream has one node, which
// nobody changes, so its pointer names it.
type nodes struct {
	mu          sync.Mutex
	now, before map[*corev3.Node]*xds.Node
}

// next begins a new view: what the one before did not ask for is forgotten.
func (n *nodes) next() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before, n.now = n.now, map[*corev3.Node]*xds.Node{}
}

func (n *nodes) parse(node *corev3.Node) (*xds.Node, error) {
	n.mu.Lock()
	parsed := n.now[node]
	if parsed == nil {
		parsed = n.before[node]
	}
	n.mu.Unlock()
	if parsed == nil {
		var err error
		if parsed, err = xds.ParseNode(node); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now != nil {
		n.now[node] = parsed
	}
	return parsed, nil
}
