package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Interface is the Dubbo interface that every request calls and that routes match.
const Interface = "org.aeraki.bench.EchoService"

// Dubbo is Dubbo 2 with Hessian 2 bodies, as Dubbo for Java writes them: a
// 16-byte header; then version, path, service version, method, parameter
// types, the argument and a map of attachments.
type Dubbo struct {
	before, after []byte // the body around the argument
	answer        []byte // the response's attachments
}

const (
	dubboMagic  = 0xdabb
	dubboHeader = 16

	flagRequest = 0x80
	flagTwoWay  = 0x40
	flagEvent   = 0x20
	hessian2    = 2
	statusOK    = 20

	// valueWithAttachments is RESPONSE_VALUE_WITH_ATTACHMENTS (4) as a Hessian 2
	// one-byte int, which starts at 0x90 for zero.
	valueWithAttachments = 0x94
)

func newDubbo() Dubbo {
	var d Dubbo
	for _, s := range []string{"2.0.2", Interface, "1.0.0", Method, "Ljava/lang/String;"} {
		d.before = appendString(d.before, s)
	}
	d.after = appendMap(d.after, "path", Interface, "remote.application", "bench",
		"interface", Interface, "version", "1.0.0", "timeout", "3000")
	d.answer = appendMap(d.answer, "dubbo", "2.0.2")
	return d
}

// appendString appends a Hessian 2 string of ASCII: its length counts UTF-16
// units, which for ASCII are bytes.
func appendString[S string | []byte](dst []byte, s S) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, byte(n))
	case n < 1024:
		dst = append(dst, 0x30+byte(n>>8), byte(n))
	default:
		dst = append(dst, 'S', byte(n>>8), byte(n))
	}
	return append(dst, s...)
}

// appendMap appends an untyped Hessian 2 map of strings.
func appendMap(dst []byte, kv ...string) []byte {
	dst = append(dst, 'H')
	for _, s := range kv {
		dst = appendString(dst, s)
	}
	return append(dst, 'Z')
}

var errShortDubbo = errors.New("dubbo: message ends early")

// readString reads what appendString writes.
func readString(b []byte) (s, rest []byte, err error) {
	if len(b) < 3 {
		return nil, nil, errShortDubbo
	}
	var n int
	switch c := b[0]; {
	case c < 32:
		n, b = int(c), b[1:]
	case c >= 0x30 && c < 0x34:
		n, b = int(c-0x30)<<8|int(b[1]), b[2:]
	case c == 'S':
		n, b = be16(b[1:]), b[3:]
	default:
		return nil, nil, fmt.Errorf("dubbo: not a final string: tag %#x", c)
	}
	if n > len(b) {
		return nil, nil, errShortDubbo
	}
	return b[:n], b[n:], nil
}

// Name implements Wire.
func (Dubbo) Name() string { return "dubbo" }

func appendHeader(dst []byte, flag, status byte, id uint64, body int) []byte {
	dst = append(dst, dubboMagic>>8, dubboMagic&0xff, flag, status)
	dst = binary.BigEndian.AppendUint64(dst, id)
	return binary.BigEndian.AppendUint32(dst, uint32(body))
}

// AppendRequest implements Wire.
func (d Dubbo) AppendRequest(dst []byte, id uint64, payload []byte) []byte {
	start := len(dst)
	dst = appendHeader(dst, flagRequest|flagTwoWay|hessian2, 0, id, 0)
	dst = append(dst, d.before...)
	dst = appendString(dst, payload)
	dst = append(dst, d.after...)
	return setBody(dst, start)
}

// setBody writes the body's length into the header at start.
func setBody(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+12:], uint32(len(dst)-start-dubboHeader))
	return dst
}

// Size implements Wire.
func (Dubbo) Size(b []byte) (int, error) {
	if len(b) < dubboHeader {
		return 0, nil
	}
	if be16(b) != dubboMagic {
		return 0, fmt.Errorf("dubbo: magic %#x", be16(b))
	}
	return checkSize(dubboHeader + uint64(be32(b[12:])))
}

// IsReply implements Wire.
func (Dubbo) IsReply(msg []byte) bool { return msg[2]&(flagRequest|flagEvent) == 0 }

// Reply implements Wire. It wants status 20, a value with attachments, the
// string, and the very attachments that the echo server wrote.
func (d Dubbo) Reply(msg []byte) (uint64, []byte, error) {
	if len(msg) <= dubboHeader {
		return 0, nil, errShortDubbo
	}
	if msg[2] != hessian2 || msg[3] != statusOK || msg[dubboHeader] != valueWithAttachments {
		return 0, nil, fmt.Errorf("dubbo: flag %#x, status %d, response type %#x, not %#x, %d, %#x: %q",
			msg[2], msg[3], msg[dubboHeader], hessian2, statusOK, valueWithAttachments, msg[dubboHeader:min(len(msg), 200)])
	}
	payload, rest, err := readString(msg[dubboHeader+1:])
	if err != nil {
		return 0, nil, err
	}
	if !bytes.Equal(rest, d.answer) {
		return 0, nil, fmt.Errorf("dubbo: response attachments %q", rest)
	}
	return be64(msg[4:]), payload, nil
}

// AppendAnswer implements Wire.
func (d Dubbo) AppendAnswer(dst, msg []byte) ([]byte, error) {
	flag, id := msg[2], be64(msg[4:])
	if flag&flagEvent != 0 {
		if flag&flagRequest == 0 || flag&flagTwoWay == 0 {
			return dst, nil
		}
		dst = appendHeader(dst, flagEvent|hessian2, statusOK, id, 1)
		return append(dst, 'N'), nil
	}
	if flag != flagRequest|flagTwoWay|hessian2 {
		return dst, fmt.Errorf("dubbo: not a two-way hessian2 request: flag %#x", flag)
	}
	payload, err := d.argument(msg[dubboHeader:])
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = appendHeader(dst, hessian2, statusOK, id, 0)
	dst = append(dst, valueWithAttachments)
	dst = appendString(dst, payload)
	dst = append(dst, d.answer...)
	return setBody(dst, start), nil
}

// argument reads the request as a server does, field by field; a proxy may
// have rewritten what stands before the argument.
func (d Dubbo) argument(b []byte) (arg []byte, err error) {
	for range 6 { // version, path, service version, method, parameter types, argument
		if arg, b, err = readString(b); err != nil {
			return nil, err
		}
	}
	if len(b) < 2 || b[0] != 'H' || b[len(b)-1] != 'Z' {
		return nil, fmt.Errorf("dubbo: request attachments are no map: %q", b)
	}
	return arg, nil
}
