package engine

import (
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// exchange is what filters see of the message in hand. Each worker has one.
type exchange struct {
	w       *Worker
	dec     codec.Decoder
	b       []byte
	m       *codec.Message
	rs      *routeState
	base    int // of the running filter's clusters
	edits   []codec.Edit
	copies  []int // indexes into rs.copies
	reply   codec.LocalReply
	replied bool
}

func (x *exchange) begin(dec codec.Decoder, b []byte, m *codec.Message, rs *routeState) {
	x.dec, x.b, x.m, x.rs = dec, b, m, rs
	x.edits, x.copies, x.replied = x.edits[:0], x.copies[:0], false
}

// runRequest runs the route's request filters; false: one of them answered.
func (x *exchange) runRequest() bool {
	for i := range x.rs.Requests {
		f := &x.rs.Requests[i]
		x.base = f.Base
		if f.Filter.OnRequest(x) == filter.Stop {
			x.copies = x.copies[:0]
			if !x.replied {
				x.reply = codec.LocalReply{Cause: codec.Unsupported, Text: "a filter stopped the request without a reply"}
			}
			return false
		}
	}
	return true
}

// Get implements filter.Exchange.
func (x *exchange) Get(r codec.Ref) (codec.Value, bool) { return x.dec.Get(x.b, x.m, r) }

// Edit implements filter.Exchange.
func (x *exchange) Edit(e *codec.Edit) { x.edits = append(x.edits, *e) }

// Copy implements filter.Exchange.
func (x *exchange) Copy(cluster int) { x.copies = append(x.copies, x.base+cluster) }

// Reply implements filter.Exchange.
func (x *exchange) Reply(r codec.LocalReply) { x.reply, x.replied = r, true }

// Random implements filter.Exchange.
func (x *exchange) Random() uint64 { return x.w.random.Uint64() }

var _ filter.Exchange = (*exchange)(nil)
