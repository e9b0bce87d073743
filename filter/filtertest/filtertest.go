// Package filtertest is the test kit of layer-7 filters: an Exchange over
// properties that a test gives, which records what the filter did, and checks
// that every filter must pass.
package filtertest

import (
	"fmt"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Protocol is a protocol for filters to be configured for: a fixed property
// "method" and a mutable fallback family "header[*]". It decodes nothing.
type Protocol struct{ codec.Protocol }

// Traits implements codec.Protocol.
func (Protocol) Traits() codec.Traits { return codec.Traits{Name: "filtertest"} }

// Properties implements codec.Protocol.
func (Protocol) Properties() []codec.Property {
	return []codec.Property{{Name: "method"}, {Name: "header", Keyed: true, Fallback: true, Mutable: true}}
}

// Exchange implements filter.Exchange over given properties.
type Exchange struct {
	Properties map[codec.Ref]codec.Value
	Randoms    []uint64 // returned in turn, then 0

	Edits   []codec.Edit
	Copies  []int
	Replies []codec.LocalReply
}

// Get implements filter.Exchange.
func (x *Exchange) Get(r codec.Ref) (codec.Value, bool) { v, ok := x.Properties[r]; return v, ok }

// Edit implements filter.Exchange.
func (x *Exchange) Edit(e *codec.Edit) { x.Edits = append(x.Edits, *e) }

// Copy implements filter.Exchange.
func (x *Exchange) Copy(cluster int) { x.Copies = append(x.Copies, cluster) }

// Reply implements filter.Exchange.
func (x *Exchange) Reply(r codec.LocalReply) { x.Replies = append(x.Replies, r) }

// Random implements filter.Exchange.
func (x *Exchange) Random() uint64 {
	if len(x.Randoms) == 0 {
		return 0
	}
	r := x.Randoms[0]
	x.Randoms = x.Randoms[1:]
	return r
}

// Run checks what every filter owes: it parses config, refuses a field that it
// does not know and what is not JSON, stays within its clusters, replies when
// it stops, and allocates nothing per message.
func Run(t *testing.T, f filter.Filter, config string) {
	t.Helper()
	if err := Check(f, config); err != nil {
		t.Error(err)
	}
}

// Check is Run without a testing.T.
func Check(f filter.Filter, config string) error {
	for _, bad := range []string{`{"noSuchField":1}`, `[]`, `{`, config + `{}`} {
		if _, err := f.Parse([]byte(bad), Protocol{}); err == nil {
			return fmt.Errorf("%s accepts %s", f.Name(), bad)
		}
	}
	inst, err := f.Parse([]byte(config), Protocol{})
	if err != nil {
		return fmt.Errorf("%s refuses its configuration: %w", f.Name(), err)
	}
	request, isRequest := inst.(filter.RequestFilter)
	reply, isReply := inst.(filter.ReplyFilter)
	if !isRequest && !isReply {
		return fmt.Errorf("%s sees neither requests nor replies", f.Name())
	}
	x := &Exchange{}
	once := func() {
		x.Edits, x.Copies, x.Replies = x.Edits[:0], x.Copies[:0], x.Replies[:0]
		if isRequest && request.OnRequest(x) == filter.Stop && len(x.Replies) != 1 {
			err = fmt.Errorf("%s stopped a request with %d replies", f.Name(), len(x.Replies))
		}
		if isReply {
			reply.OnReply(x)
		}
	}
	once()
	for _, c := range x.Copies {
		if c < 0 || c >= len(inst.Clusters()) {
			return fmt.Errorf("%s copies to cluster %d of %d", f.Name(), c, len(inst.Clusters()))
		}
	}
	if n := testing.AllocsPerRun(100, once); n > 0 {
		return fmt.Errorf("%s allocates %v times per message", f.Name(), n)
	}
	return err
}
