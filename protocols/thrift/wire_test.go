package thrift

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/wire"
)

// variants are all that there are.
var variants = []uint8{
	unframed | binaryStrict, unframed | binaryOld, unframed | compact,
	framed | binaryStrict, framed | binaryOld, framed | compact,
	header | binaryStrict, header | binaryOld, header | compact,
}

// call writes a message from the specification. fields makes what stands
// before the stop of its struct.
func call(variant, kind uint8, name string, seq uint32, fields func(variant uint8) []byte) []byte {
	var b []byte
	switch variant & protocolMask {
	case binaryStrict:
		b = []byte{0x80, 0x01, 0, kind}
		b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
		b = binary.BigEndian.AppendUint32(append(b, name...), seq)
	case binaryOld:
		b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
		b = binary.BigEndian.AppendUint32(append(append(b, name...), kind), seq)
	case compact:
		b = wire.AppendUvarint([]byte{0x82, kind<<5 | 1}, uint64(seq))
		b = append(wire.AppendUvarint(b, uint64(len(name))), name...)
	}
	b = append(append(b, fields(variant)...), 0)
	return transport(variant, seq, nil, b)
}

// transport wraps a message. info are the info sections of a THeader.
func transport(variant uint8, seq uint32, info, message []byte) []byte {
	switch variant & transportMask {
	case framed:
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
	case header:
		h := []byte{0, 0}
		if variant&protocolMask == compact {
			h[0] = 2
		}
		h = append(h, info...)
		for len(h)%4 != 0 {
			h = append(h, 0)
		}
		b := []byte{0x0f, 0xff, 0, 0}
		b = binary.BigEndian.AppendUint32(b, seq)
		b = binary.BigEndian.AppendUint16(b, uint16(len(h)/4))
		b = append(append(b, h...), message...)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	}
	return message
}

func noFields(uint8) []byte { return nil }

// boolField is the field id with the value true.
func boolField(variant uint8, id uint16) []byte {
	if variant&protocolMask != compact {
		return []byte{2, byte(id >> 8), byte(id), 1}
	}
	if id >= 1 && id <= 15 {
		return []byte{byte(id)<<4 | 1}
	}
	return wire.AppendZigzag([]byte{1}, int64(id))
}

// infoSection is a section of keys and values.
func infoSection(kind byte, pairs ...string) []byte {
	b := []byte{kind, byte(len(pairs) / 2)}
	for _, s := range pairs {
		b = append(append(b, byte(len(s))), s...)
	}
	return b
}

// headerCall is a call with THeader info sections.
func headerCall(info ...byte) []byte {
	return transport(header|binaryStrict, 1, info, call(unframed|binaryStrict, typeCall, "f", 1, noFields))
}
