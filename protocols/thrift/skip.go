package thrift

import (
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
)

// The kinds of levels.
const (
	inStruct uint8 = iota
	inList         // a list or a set
	inMap
)

// level is a struct or container that is open. Its size is what an unframed
// connection pays per level of nesting.
type level struct {
	left       uint32 // elements to come; keys and values count one each
	kind       uint8
	key, value uint8 // types of elements, in the words of the protocol
}

// least returns the length of the shortest element, by the lengths of the
// protocol's types; 0 where a type is unknown.
func (l *level) least(lengths *[32]uint8) int64 {
	if l.key > 31 || l.value > 31 || lengths[l.key] == 0 || lengths[l.value] == 0 {
		return 0
	}
	if l.kind == inMap {
		return int64(lengths[l.key]) + int64(lengths[l.value])
	}
	return int64(lengths[l.value])
}

// body passes over the body of an unframed message from m.Scan on. What is
// open stands in d.stack, so no byte is looked at twice: a step that lacks
// bytes says how many and is taken again from its start, which is at most a
// field header and a length away.
func (d *decoder) body(b []byte, m *codec.Message) error {
	isCompact := m.Variant&protocolMask == compact
	pos := m.Scan
	for len(d.stack) > 0 {
		next, err := d.step(b, pos, isCompact)
		if err != nil {
			return err
		}
		if int64(next) > d.limits.Message {
			return d.tooLong(int64(next))
		}
		if next > len(b) {
			m.Scan, m.Need = pos, next
			return codec.ErrMore
		}
		pos = next
	}
	m.Size = int64(pos)
	return nil
}

// step passes one field or element of the innermost level. As all steps it
// returns the position behind what it passed, or, having changed nothing, how
// many bytes there must be for that.
func (d *decoder) step(b []byte, pos int, isCompact bool) (next int, err error) {
	at := len(d.stack) - 1
	l := d.stack[at]
	switch {
	case l.kind == inStruct && isCompact:
		return d.compactField(b, pos)
	case l.kind == inStruct:
		return d.binaryField(b, pos)
	case l.left == 0:
		d.pop()
		return pos, nil
	}
	t := l.value
	if l.kind == inMap && l.left&1 == 0 {
		t = l.key
	}
	if isCompact {
		next, err = d.compactValue(b, pos, t)
	} else {
		next, err = d.binaryValue(b, pos, t)
	}
	if err == nil && next <= len(b) {
		d.stack[at].left--
	}
	return next, err
}

// pass returns the position behind n elements of at least the given length,
// unless that is over the limit.
func (d *decoder) pass(pos int, n, least int64) (int, error) {
	if n < 0 {
		return 0, fmt.Errorf("thrift: negative length %d at byte %d", n, pos)
	}
	end := int64(pos) + n*least
	if end > d.limits.Message {
		return 0, d.tooLong(end)
	}
	return int(end), nil
}

func (d *decoder) pop() { d.stack = d.stack[:len(d.stack)-1] }

func (d *decoder) push(l level) error {
	if len(d.stack) >= d.limits.Depth {
		return fmt.Errorf("thrift: nesting over limit %d", d.limits.Depth)
	}
	d.stack = append(d.stack, l)
	return nil
}

// container passes n elements of fixed length at once; others are pushed. The
// types of an empty container mean nothing. Elements have at least one byte
// each, so what a count can cost is bounded by the bytes that are sent for it.
func (d *decoder) container(pos int, n int64, l level, fixed, least *[32]uint8) (int, error) {
	if n == 0 {
		return pos, nil
	}
	shortest := l.least(least)
	if shortest == 0 {
		return 0, fmt.Errorf("thrift: unknown element type %d or %d", l.key, l.value)
	}
	next, err := d.pass(pos, n, shortest)
	if err != nil || fixed[l.key] != 0 && fixed[l.value] != 0 {
		return next, err
	}
	l.left = uint32(n) // 2³¹-1 at most, so twice that fits too
	if l.kind == inMap {
		l.left *= 2
	}
	return pos, d.push(l)
}
