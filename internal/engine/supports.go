package engine

import (
	"errors"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// Supports reports, by a nil error, that workers carry a protocol. The
// contract of codecs has room for more than they do; whoever makes a Config
// asks first, because a Worker does not: its connections would be closed at
// their first message, or wait for ever for a side that waits too.
func Supports(p codec.Protocol) error {
	t := p.Traits()
	_, numbers := p.(codec.Renumberer)
	_, beats := p.(codec.Heartbeater)
	var problems []error
	refuse := func(bad bool, reason string) {
		if bad {
			problems = append(problems, fmt.Errorf("protocol %s: %s", t.Name, reason))
		}
	}
	refuse(t.ServerFirst, "servers that speak first are not carried")
	refuse(t.Client == codec.Dedicated || t.Server == codec.Dedicated, "dedicated connections are not carried")
	refuse(t.Client > codec.Dedicated || t.Server > codec.Dedicated, fmt.Sprintf("order %d of clients or %d of servers is unknown", t.Client, t.Server))
	refuse(t.Parallel && !numbers, "it is parallel and cannot rewrite ids")
	refuse(t.HeartbeatInterval > 0 && !beats, "it has a heartbeat interval and no heartbeats")
	return errors.Join(problems...)
}
