// Package dubbo is the codec of the Dubbo 2 TCP protocol. It frames messages,
// reads Hessian2 and fastjson2 (JSONB) bodies only as far as rules need, edits
// attachments in place, and answers as a Dubbo provider would. Triple is
// HTTP/2 and does not belong here.
package dubbo

import (
	"encoding/binary"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// The properties, as indices into Properties.
const (
	propInterface = iota
	propVersion
	propGroup
	propMethod
	propParameterTypes
	propArgument
	propAttachment
)

// Protocol is the Dubbo protocol: a codec.Protocol that is also a Renumberer,
// Mutator, Responder, Heartbeater and GoAwayer. Make one with New.
type Protocol struct {
	editors editors // the working memory of Mutate
}

// New returns the protocol.
func New() *Protocol {
	return &Protocol{}
}

// Traits implements codec.Protocol. Dubbo's consumers send a heartbeat after
// 60 seconds of silence, and so does the proxy.
func (p *Protocol) Traits() codec.Traits {
	return codec.Traits{
		Name:              "dubbo",
		Client:            codec.ByID,
		Server:            codec.ByID,
		Parallel:          true,
		HeartbeatInterval: 60 * time.Second,
	}
}

// Properties implements codec.Protocol.
func (p *Protocol) Properties() []codec.Property {
	return []codec.Property{
		propInterface:      {Name: "interface", Doc: "The called interface: the attachment of that name, else the service path of the body."},
		propVersion:        {Name: "version", Doc: "The version of the service; where the client names none, 0.0.0 (Java) or empty (dubbo-go)."},
		propGroup:          {Name: "group", Doc: "The group of the service, from the attachment of that name."},
		propMethod:         {Name: "method", Doc: "The called method; of a generic call ($invoke) the one that it names."},
		propParameterTypes: {Name: "parameterTypes", Doc: "The parameter types as a JVM descriptor, Ljava/lang/String;I."},
		propArgument:       {Name: "argument", Keyed: true, Doc: "The argument at an index from 0: strings, integers, and booleans as true or false."},
		propAttachment:     {Name: "attachment", Keyed: true, Fallback: true, Mutable: true, Doc: "An attachment of the request or the reply."},
	}
}

// Sniff implements codec.Protocol: a client begins with the magic number and
// the flag of a request.
func (p *Protocol) Sniff(prefix []byte) codec.Verdict {
	switch {
	case prefix[0] != magic>>8, len(prefix) > 1 && prefix[1] != magic&0xff,
		len(prefix) > 2 && prefix[2]&flagRequest == 0:
		return codec.No
	case len(prefix) > 2:
		return codec.Yes
	}
	return codec.More
}

// Decoder implements codec.Protocol.
func (p *Protocol) Decoder(s codec.Side, l codec.Limits) codec.Decoder {
	return &decoder{side: s, limits: l}
}

// CanPutID implements codec.Renumberer: ids have 64 bits at a fixed place.
func (p *Protocol) CanPutID(*codec.Message) bool { return true }

// PutID implements codec.Renumberer.
func (p *Protocol) PutID(b []byte, _ *codec.Message, id uint64) {
	binary.BigEndian.PutUint64(b[idOffset:], id)
}

// Bits implements codec.Renumberer.
func (p *Protocol) Bits() int { return 64 }

// Readable reports whether bodies in the serialization with this id, which is
// Message.Variant, can be read. Others pass with no properties.
func Readable(variant uint8) bool { return variant == hessian2 || variant == fastjson2 }

// Malformed reports whether the body of m, in a serialization that is
// Readable, could not be read to where the rules needed it: what stood before
// the fault has its properties, the rest is absent.
func Malformed(m *codec.Message) bool { return m.Notes[noteFlags].Off&flagMalformed != 0 }

// decoder reads one direction of one connection.
type decoder struct {
	side   codec.Side
	limits codec.Limits
	cur    cursor
	text   []byte // values whose wire form is not UTF-8, of the last message
}

// Next implements codec.Decoder. Headers are read once; a body is looked at
// when all of it that is needed has come, so nothing is scanned twice.
func (d *decoder) Next(b []byte, want *codec.Want, memo func(uint64) uint64, m *codec.Message) error {
	if m.Scan == 0 {
		if err := d.header(b, m); err != nil {
			return err
		}
	}
	need := d.need(want, m)
	if len(b) < need {
		m.Scan, m.Need = headerLen, need
		return codec.ErrMore
	}
	m.Scan, m.Need, m.Head = 0, 0, need
	d.text = d.text[:0]
	switch {
	case d.called(m):
		d.request(b[:need], m)
	case m.Kind == codec.Reply:
		d.reply(b[:need], memo, m)
	case m.Kind == codec.Heartbeat, m.Kind == codec.HeartbeatReply:
		d.event(b[:need], m)
	}
	d.release()
	return nil
}

// release gives up what an unusual message made large, and the bytes, which
// are the engine's.
func (d *decoder) release() {
	if cap(d.cur.stack) > maxKept {
		d.cur.stack = nil
	}
	if cap(d.cur.defs) > maxKept {
		d.cur.defs = nil
	}
	if cap(d.text) > maxKept && len(d.text) == 0 {
		d.text = nil
	}
	d.cur.b = nil
}
