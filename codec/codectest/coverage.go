package codectest

import (
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// logCoverage says what the captures do not show, so that nobody takes a pass
// for more than it is. Not every protocol has all of it.
func (s *suite) logCoverage() {
	var missing []string
	lack := func(what string, there func(*frame) bool) {
		for _, f := range s.frames {
			if there(f) {
				return
			}
		}
		missing = append(missing, what)
	}
	for _, k := range []codec.Kind{codec.Request, codec.Oneway, codec.Push, codec.Heartbeat, codec.HeartbeatReply, codec.GoAway} {
		lack("a "+k.String(), func(f *frame) bool { return f.m.Kind == k })
	}
	for status, what := range []string{"a reply that is OK", "an application error", "a protocol error"} {
		lack(what, func(f *frame) bool { return f.m.Kind == codec.Reply && f.m.Status == codec.Status(status) })
	}
	lack("a request with a deadline", func(f *frame) bool { return f.m.Timeout > 0 })
	lack("a message that needs a connection of its own", func(f *frame) bool { return f.m.Pin != codec.Stay })
	lack("a message over 64 KiB", func(f *frame) bool { return len(f.b) > 64<<10 })
	if s.p.Traits().Server != codec.InOrder && !s.overtakes() {
		missing = append(missing, "a reply that overtakes another")
	}
	for i, p := range s.properties {
		has := func(f *frame) bool { return strings.Contains("\n"+f.out.values, "\n"+p.Name+"=") }
		if p.Keyed {
			has = func(f *frame) bool { return strings.Contains("\n"+f.out.values, "\n"+p.Name+"[") }
		}
		lack("a value of "+codec.PropertyNames(s.properties)[i], has)
	}
	if len(missing) > 0 {
		s.log("the captures do not have: %s", strings.Join(missing, "; "))
	}
}

// overtakes reports whether a reply came before that of an earlier request.
func (s *suite) overtakes() bool {
	var waiting []uint64
	capture := ""
	for _, f := range s.frames {
		if f.capture != capture {
			capture, waiting = f.capture, nil
		}
		switch {
		case f.m.Kind == codec.Request && f.side == codec.FromClient:
			waiting = append(waiting, f.m.ID)
		case f.m.Kind == codec.Reply && f.side == codec.FromServer:
			for i, id := range waiting {
				if id != f.m.ID {
					continue
				}
				if i > 0 {
					return true
				}
				waiting = waiting[1:]
				break
			}
		}
	}
	return false
}
