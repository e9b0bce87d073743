package dubbo

import "github.com/aeraki-mesh/aeraki/codec"

// The types of a result, which begin the body of a reply with status OK
// (DubboCodec). Those with attachments are what peers from 2.0.2 on send.
const (
	resultException = iota
	resultValue
	resultNull
	resultExceptionAttached
	resultValueAttached
	resultNullAttached
)

// withAttachments maps the types that have no attachments to those that do.
var withAttachments = [...]byte{
	resultException: resultExceptionAttached,
	resultValue:     resultValueAttached,
	resultNull:      resultNullAttached,
}

// reply reads the type of the result, and the attachments if b has all of a
// reply whose attachments are wanted. What the request's client understands is
// asked for only where the reply does not show it.
func (d *decoder) reply(b []byte, memo func(uint64) uint64, m *codec.Message) {
	if m.Status != codec.OK || !Readable(m.Variant) {
		return
	}
	c := &d.cur
	c.start(b, headerLen, m.Variant, d.limits.Depth)
	v, ok := c.value()
	if !ok || v.kind != intValue || v.num < resultException || v.num > resultNullAttached {
		m.Status = codec.ProtocolError // no client can read it
		m.Notes[noteFlags].Off |= flagMalformed
		return
	}
	if v.num == resultException || v.num == resultExceptionAttached {
		m.Status = codec.AppError
	}
	switch {
	case v.num >= resultExceptionAttached:
		m.Memo = memoAttachments
	case memo != nil && d.side == codec.FromServer:
		m.Memo = memo(m.ID)
	}
	if int64(len(b)) < m.Size || v.num < resultExceptionAttached {
		return
	}
	if v.num != resultNullAttached && !c.skip() || !d.attachments(c, m) {
		m.Notes[noteFlags].Off |= flagMalformed
	}
}
