package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Thrift is the framed transport with the strict binary protocol
// (thrift-rpc.md, thrift-binary-protocol.md): a 4-byte length, the version and
// type, the method, the sequence id, and a struct with one string field.
type Thrift struct{}

const (
	thriftVersion = 0x80010000
	thriftCall    = thriftVersion | 1
	thriftReply   = thriftVersion | 2
	thriftString  = 11

	argField    = 1 // the first parameter
	resultField = 0 // "success"
)

// Name implements Wire.
func (Thrift) Name() string { return "thrift" }

// AppendRequest implements Wire.
func (Thrift) AppendRequest(dst []byte, id uint64, payload []byte) []byte {
	return appendThrift(dst, thriftCall, Method, uint32(id), argField, payload)
}

// appendThrift appends a message whose struct is one string field.
func appendThrift[S string | []byte](dst []byte, kind uint32, method S, seq uint32, field uint16, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+4+len(method)+4+1+2+4+len(payload)+1))
	dst = binary.BigEndian.AppendUint32(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(method)))
	dst = append(dst, method...)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	dst = append(dst, thriftString)
	dst = binary.BigEndian.AppendUint16(dst, field)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, payload...)
	return append(dst, 0)
}

// Size implements Wire.
func (Thrift) Size(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	return checkSize(4 + uint64(be32(b)))
}

// IsReply implements Wire: Thrift has no heartbeats.
func (Thrift) IsReply([]byte) bool { return true }

// Reply implements Wire.
func (Thrift) Reply(msg []byte) (uint64, []byte, error) {
	method, seq, payload, err := readThrift(msg, thriftReply, resultField)
	if err != nil {
		return 0, nil, err
	}
	if string(method) != Method {
		return 0, nil, fmt.Errorf("thrift: reply to method %q", method)
	}
	return uint64(seq), payload, nil
}

// AppendAnswer implements Wire.
func (Thrift) AppendAnswer(dst, msg []byte) ([]byte, error) {
	method, seq, payload, err := readThrift(msg, thriftCall, argField)
	if err != nil {
		return dst, err
	}
	return appendThrift(dst, thriftReply, method, seq, resultField, payload), nil
}

var errShortThrift = errors.New("thrift: message ends early")

// readThrift reads what appendThrift writes and refuses everything else.
func readThrift(msg []byte, kind uint32, field int) (method []byte, seq uint32, payload []byte, err error) {
	if len(msg) < 12 {
		return nil, 0, nil, errShortThrift
	}
	if got := be32(msg[4:]); got != kind {
		return nil, 0, nil, fmt.Errorf("thrift: message type %#x, not %#x: %q", got, kind, msg[:min(len(msg), 200)])
	}
	n := int(be32(msg[8:]))
	b := msg[12:]
	if n > len(b) || len(b)-n < 4+1+2+4+1 {
		return nil, 0, nil, errShortThrift
	}
	method, b = b[:n], b[n:]
	seq, b = be32(b), b[4:]
	if b[0] != thriftString || be16(b[1:]) != field {
		return nil, 0, nil, fmt.Errorf("thrift: field type %d id %d, not type %d id %d", b[0], be16(b[1:]), thriftString, field)
	}
	n, b = int(be32(b[3:])), b[7:]
	if n != len(b)-1 || b[n] != 0 {
		return nil, 0, nil, fmt.Errorf("thrift: string of %d bytes in a struct of %d", n, len(b))
	}
	return method, seq, b[:n], nil
}
