package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// raw speaks a protocol by hand, so that it can be spoken badly.
type raw struct {
	protocol, peer string
	request, reply func(id uint64) []byte
	// read reads one message and returns its id, and whether it is a good reply.
	read func(r io.Reader) (id uint64, good bool, err error)
}

func raws() []raw {
	return []raw{
		{"thrift", thriftGo, func(id uint64) []byte { return thriftMessage(1, id) }, func(id uint64) []byte { return thriftMessage(2, id) }, readThrift},
		{"dubbo", dubboGo, dubboRequest, func(id uint64) []byte { return dubboMessage(0x02, 20, id, []byte{0x92}) }, readDubbo},
	}
}

// thriftMessage is a framed message of the binary protocol, with an empty
// struct: thrift-binary-protocol.md.
func thriftMessage(kind byte, id uint64) []byte {
	m := []byte{0x80, 1, 0, kind, 0, 0, 0, 5, 'c', 'l', 'e', 'a', 'r', 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(m[13:], uint32(id))
	return append([]byte{0, 0, 0, byte(len(m))}, m...)
}

func readThrift(r io.Reader) (id uint64, good bool, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return 0, false, err
	}
	m := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r, m); err != nil {
		return 0, false, err
	}
	if !bytes.Contains(m, []byte("clear")) {
		return 0, false, fmt.Errorf("not a reply to clear: % x", m)
	}
	return uint64(binary.BigEndian.Uint32(m[13:])), m[3] == 2, nil
}

// dubboMessage is a frame of serialization 2 (Hessian2).
func dubboMessage(flags, status byte, id uint64, body []byte) []byte {
	m := binary.BigEndian.AppendUint64([]byte{0xda, 0xbb, flags, status}, id)
	return append(binary.BigEndian.AppendUint32(m, uint32(len(body))), body...)
}

func dubboRequest(id uint64) []byte {
	var body []byte
	for _, s := range []string{"2.0.2", "test.Hello", "0.0.0", "clear", ""} {
		body = append(append(body, byte(len(s))), s...)
	}
	return dubboMessage(0xc2, 0, id, append(body, 'H', 'Z'))
}

func readDubbo(r io.Reader) (id uint64, good bool, err error) {
	var header [16]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, false, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint32(header[12:]))); err != nil {
		return 0, false, err
	}
	if header[0] != 0xda || header[1] != 0xbb || header[2]&0x80 != 0 {
		return 0, false, fmt.Errorf("not a reply: % x", header)
	}
	return binary.BigEndian.Uint64(header[4:]), header[3] == 20, nil
}

// asked reads one request and returns its id.
func (p raw) asked(c net.Conn) (id uint64, ok bool) {
	if p.protocol == "thrift" {
		id, _, err := readThrift(c)
		return id, err == nil
	}
	var header [16]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return 0, false
	}
	_, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(header[12:])))
	return binary.BigEndian.Uint64(header[4:]), err == nil
}

// dial connects with a deadline that ends a hanging test.
func dial(address string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(90 * time.Second))
	}
	return c, err
}
