package thrift

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/codec"
)

// maxSniffedName is the longest method name by which bytes that could be
// anything (no magic number) are taken for Thrift.
const maxSniffedName = 512

// Sniff tells Thrift by its magic numbers; the unversioned binary protocol,
// which has none, by a name of letters between a length and a message type.
func (p *Protocol) Sniff(b []byte) codec.Verdict {
	transport, err := detect(b)
	switch {
	case err == codec.ErrMore:
		return codec.More
	case err != nil:
		return codec.No
	case transport == unframed && b[0]&0x80 == 0:
		return sniffOld(b, 1<<31)
	case transport == unframed:
		return sniffMessage(b, 1<<31)
	}
	length := int64(binary.BigEndian.Uint32(b))
	if length < minMessage {
		return codec.No
	}
	switch {
	case transport == header:
		return sniffHeader(b, length)
	case b[4] == 0:
		return sniffOld(b[4:], length)
	}
	return sniffMessage(b[4:], length)
}

// sniffMessage looks at a strict binary or compact message of at most the
// given length.
func sniffMessage(b []byte, length int64) codec.Verdict {
	var typ byte
	switch {
	case len(b) < 2:
		return codec.More
	case b[0] == compactID && b[1]&0x1f == compactVersion:
		typ = b[1] >> 5
	case b[0] == compactID || b[1] != strictVersion&0xff:
		return codec.No
	case len(b) < 8:
		return codec.More
	case int64(binary.BigEndian.Uint32(b[4:]))+13 > length:
		return codec.No
	default:
		typ = b[3]
	}
	return sniffType(typ)
}

func sniffType(typ byte) codec.Verdict {
	if typ == typeCall || typ == typeOneway {
		return codec.Yes
	}
	return codec.No
}

func sniffHeader(b []byte, length int64) codec.Verdict {
	switch {
	case len(b) < headerFixed:
		if len(b) > 5 && b[5] != headerMagic&0xff {
			return codec.No
		}
		return codec.More
	case b[5] != headerMagic&0xff,
		10+4*int64(binary.BigEndian.Uint16(b[headerWordsAt:]))+minMessage > length:
		return codec.No
	}
	return codec.Yes
}

// sniffOld looks at an unversioned message.
func sniffOld(b []byte, length int64) codec.Verdict {
	if len(b) < 4 {
		return codec.More
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n == 0 || n > maxSniffedName || n+10 > length {
		return codec.No
	}
	for i, c := range b[4:] {
		if int64(i) == n {
			return sniffType(c)
		}
		if !isNameByte(c) {
			return codec.No
		}
	}
	return codec.More
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == ':'
}
