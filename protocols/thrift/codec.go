// Package thrift is the codec of Apache Thrift: framed, unframed and THeader
// transports, each with the binary protocol (strict and the older unversioned
// form) or the compact protocol. It parses message headers; bodies are only
// skipped, and only where the transport does not tell their length.
//
// Specifications: thrift-binary-protocol.md, thrift-compact-protocol.md,
// thrift-rpc.md and HeaderFormat.md in apache/thrift's doc/specs.
package thrift

import (
	"bytes"
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// The indexes of the properties; their order is part of the protocol.
const (
	propMethod = iota
	propService
	propFunction
	propHeader
)

// The meaning of Message.Notes.
const (
	noteMethod   = iota // the name as on the wire
	noteService         // the name's part before the first ':'; empty where there is none
	noteFunction        // the rest
	noteSeq             // the message's sequence id; of length 4 where PutID may write it
	noteInfo            // THeader's info section with its padding
)

// maxKept is the most that a codec may ask to keep of a request.
const maxKept = 256

// Protocol is Thrift. It is immutable.
type Protocol struct{ properties []codec.Property }

var (
	_ codec.Protocol   = (*Protocol)(nil)
	_ codec.Renumberer = (*Protocol)(nil)
	_ codec.Mutator    = (*Protocol)(nil)
	_ codec.Responder  = (*Protocol)(nil)
	_ codec.Decoder    = (*decoder)(nil)
)

// New returns the Thrift protocol.
func New() *Protocol {
	return &Protocol{properties: []codec.Property{
		propMethod: {Name: "method",
			Doc: "The name of the message as on the wire, with the service's prefix where services are multiplexed: \"Calculator:add\"."},
		propService: {Name: "service",
			Doc: "The part of method before the first colon; absent where services are not multiplexed."},
		propFunction: {Name: "function",
			Doc: "The part of method after the first colon, the whole of it where there is none."},
		propHeader: {Name: "header", Keyed: true, Mutable: true,
			Doc: "A header of the THeader transport; other transports have none."},
	}}
}

// Traits says that servers of apache/thrift answer the requests of one
// connection one after the other, so connections are not shared by default.
// A user who knows that a service's servers work in parallel may say so: ids
// can be rewritten (see CanPutID). Go's library (0.25) sends one-way methods as
// calls, so requests may stay without a reply.
func (p *Protocol) Traits() codec.Traits {
	return codec.Traits{Name: "thrift", Client: codec.InOrder, Server: codec.InOrder, SilentRequests: true}
}

// Properties returns method, service, function and header[*].
func (p *Protocol) Properties() []codec.Property { return p.properties }

// Decoder returns the state of one direction of one connection.
func (p *Protocol) Decoder(s codec.Side, l codec.Limits) codec.Decoder {
	return &decoder{side: s, limits: l}
}

// Get returns a property of the message in b.
func (d *decoder) Get(b []byte, m *codec.Message, r codec.Ref) (codec.Value, bool) {
	switch r.Property {
	case propMethod, propFunction:
		return codec.Value{Bytes: m.Notes[r.Property].Of(b)}, true
	case propService:
		s := m.Notes[noteService]
		return codec.Value{Bytes: s.Of(b)}, m.Notes[noteFunction].Off != m.Notes[noteMethod].Off
	case propHeader:
		v, ok := findHeader(b, m, r.Key)
		return codec.Value{Bytes: v.Of(b)}, ok
	}
	return codec.Value{}, false
}

// named notes where the message's name stands, and its parts.
func named(m *codec.Message, b []byte, name wire.Span) {
	m.Notes[noteMethod], m.Notes[noteFunction] = name, name
	if i := bytes.IndexByte(name.Of(b), ':'); i >= 0 {
		m.Notes[noteService] = wire.MakeSpan(int(name.Off), i)
		m.Notes[noteFunction] = wire.MakeSpan(int(name.Off)+i+1, int(name.Len)-i-1)
	}
}

// CanPutID reports whether the id has a fixed length: it has in the binary
// protocol, in the compact one it is a varint. A THeader request that has
// different ids in header and message keeps both.
func (p *Protocol) CanPutID(m *codec.Message) bool { return m.Notes[noteSeq].Len == 4 }

// PutID writes the sequence id into the message and, with THeader, into the
// header.
func (p *Protocol) PutID(b []byte, m *codec.Message, id uint64) {
	binary.BigEndian.PutUint32(m.Notes[noteSeq].Of(b), uint32(id))
	if m.Variant&transportMask == header {
		binary.BigEndian.PutUint32(b[headerSeqAt:], uint32(id))
	}
}

// Bits is the width of a sequence id.
func (p *Protocol) Bits() int { return 32 }
