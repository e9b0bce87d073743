package thrift

import (
	"encoding/binary"
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// A variant is a transport and a protocol.
const (
	unframed uint8 = 0x10
	framed   uint8 = 0x20
	header   uint8 = 0x30

	binaryStrict uint8 = 1
	binaryOld    uint8 = 2
	compact      uint8 = 3

	transportMask uint8 = 0xf0
	protocolMask  uint8 = 0x0f
)

// The message types that all protocols share.
const (
	typeCall      = 1
	typeReply     = 2
	typeException = 3
	typeOneway    = 4
)

// minMessage is the shortest message there is: a compact one without a name
// and with an empty struct.
const minMessage = 5

// maxFrame is the longest frame: a first byte of 0x40 or more belongs to
// something else (HeaderFormat.md, Padding).
const maxFrame = 0x3fffffff

func variantName(v uint8) string {
	transports := [...]string{"unknown", "unframed", "framed", "THeader"}
	protocols := [...]string{"unknown", "binary", "unversioned binary", "compact"}
	return transports[v>>4&3] + " " + protocols[v&3]
}

// decoder is the state of one direction of one connection. Only unframed
// messages need more than what the connection was found to speak.
type decoder struct {
	limits  codec.Limits
	stack   []level // open structs and containers of an unframed body
	side    codec.Side
	variant uint8 // 0 until the first message
}

// Next finds the message at b[0].
func (d *decoder) Next(b []byte, want *codec.Want, _ func(uint64) uint64, m *codec.Message) error {
	if m.Head > 0 { // an unframed message whose header was read before
		return d.body(b, m)
	}
	transport, err := detect(b)
	if transport == 0 {
		m.Need = minMessage
		return err
	}
	start, end := 0, d.limits.Message
	if transport != unframed {
		start, end = 4, 4+int64(binary.BigEndian.Uint32(b))
		if end > d.limits.Message {
			return d.tooLong(end)
		}
		if end < 4+minMessage {
			return fmt.Errorf("thrift: a frame of %d bytes holds no message", end-4)
		}
	}
	protocol := uint8(0)
	if transport == header {
		if start, protocol, err = d.header(b, end, want, m); start == 0 {
			return err
		}
	} else if start < len(b) && b[start] == compactID {
		protocol = compact
	}
	return d.message(b, start, end, transport|protocol, m)
}

// message reads the message header at start and, where no frame tells the
// length, the body.
func (d *decoder) message(b []byte, start int, end int64, variant uint8, m *codec.Message) error {
	var h head
	var err error
	if variant&protocolMask == compact {
		err = h.compact(b, start, end)
	} else {
		err = h.binary(b, start, end)
	}
	if err != nil {
		m.Need = h.need
		return d.bounded(err, h.need, end, variant)
	}
	variant |= h.protocol
	if d.variant != variant {
		if d.variant != 0 {
			return fmt.Errorf("thrift: the connection changed from %s to %s", variantName(d.variant), variantName(variant))
		}
		d.variant = variant
	}
	if err := d.describe(b, m, &h); err != nil {
		return err
	}
	m.Variant = variant
	if variant&transportMask != unframed {
		m.Head, m.Size = h.end, end
		return nil
	}
	m.Head, m.Scan = h.end, h.end
	d.stack = append(d.stack[:0], level{kind: inStruct})
	return d.body(b, m)
}

// detect tells the transport from the first five bytes. Without an error, 0
// means that they are not there yet.
func detect(b []byte) (transport uint8, err error) {
	switch {
	case b[0] == strictFirst || b[0] == compactID:
		return unframed, nil
	case b[0] > maxFrame>>24:
		return 0, fmt.Errorf("thrift: no message starts with byte %#02x", b[0])
	case len(b) < minMessage:
		return 0, codec.ErrMore
	case b[4] == headerMagic>>8:
		return header, nil
	case b[4] == strictFirst || b[4] == compactID || b[4] == 0:
		return framed, nil
	case b[4] >= ' ' && b[4] < 0x7f: // the name of an unversioned message after its length
		return unframed, nil
	}
	return 0, fmt.Errorf("thrift: no message has %#02x behind its length", b[4])
}

// head is a message header.
type head struct {
	protocol   uint8
	kind       uint8
	seq        uint32
	firstField bool // a result's first field is not the return value
	name, nlen int
	seqAt      int // where a fixed-length sequence id stands; 0: nowhere
	end        int // where the body starts
	need       int // with ErrMore
}

// bounded turns ErrMore into an error where the bytes asked for are beyond
// the end that the frame or the limit sets, before anybody waits for them.
func (d *decoder) bounded(err error, need int, end int64, variant uint8) error {
	if err != codec.ErrMore || int64(need) <= end {
		return err
	}
	if variant&transportMask == unframed {
		return d.tooLong(int64(need))
	}
	return fmt.Errorf("thrift: the message header reaches over its frame of %d bytes", end-4)
}

func (d *decoder) tooLong(n int64) error {
	return fmt.Errorf("thrift: message of at least %d bytes over limit %d", n, d.limits.Message)
}
