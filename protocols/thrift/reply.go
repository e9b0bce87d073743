package thrift

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// The types of TApplicationException (thrift-rpc.md) that local replies have.
const (
	unknownMethod = 1
	internalError = 6
	protocolError = 7
)

// exceptionType returns the type that clients' own error handling fits best.
func exceptionType(c codec.Cause) byte {
	switch c {
	case codec.NoRoute:
		return unknownMethod
	case codec.Unsupported, codec.BadReply:
		return protocolError
	}
	return internalError
}

// AppendReply appends a TApplicationException in the request's transport and
// protocol, with its name and sequence id.
func (p *Protocol) AppendReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	start := len(dst)
	transport := o.Variant & transportMask
	if transport != unframed {
		dst = append(dst, 0, 0, 0, 0)
	}
	if transport == header {
		dst = append(dst, headerMagic>>8, headerMagic&0xff, 0, 0)
		dst = binary.BigEndian.AppendUint32(dst, uint32(o.Memo))
		id := byte(headerBinary)
		if o.Variant&protocolMask == compact {
			id = headerCompact
		}
		dst = append(dst, 0, 1, id, 0, 0, 0) // one word: protocol, no transforms, padding
	}
	if o.Variant&protocolMask == compact {
		dst = appendCompactReply(dst, o, r)
	} else {
		dst = appendBinaryReply(dst, o, r)
	}
	if transport != unframed {
		binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	}
	return dst
}

func appendBinaryReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	old := o.Variant&protocolMask == binaryOld
	if !old {
		dst = append(dst, strictVersion>>8, strictVersion&0xff, 0, typeException)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(o.Kept)))
	dst = append(dst, o.Kept...)
	if old {
		dst = append(dst, typeException)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.ID))
	dst = append(dst, binaryString, 0, 1)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Text)))
	dst = append(dst, r.Text...)
	return append(dst, binaryI32, 0, 2, 0, 0, 0, exceptionType(r.Cause), binaryStop)
}

func appendCompactReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	dst = append(dst, compactID, typeException<<5|compactVersion)
	dst = wire.AppendUvarint(dst, uint64(uint32(o.ID)))
	dst = appendString(dst, o.Kept)
	dst = append(dst, 1<<4|compactString)
	dst = wire.AppendUvarint(dst, uint64(len(r.Text)))
	dst = append(dst, r.Text...)
	dst = append(dst, 1<<4|compactI32)
	dst = wire.AppendZigzag(dst, int64(exceptionType(r.Cause)))
	return append(dst, 0)
}
