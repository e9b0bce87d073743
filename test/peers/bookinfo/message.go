package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The kinds of AwesomeRPC messages; docs/protocols/awesomerpc.md has the
// layout. This program reads and writes it by itself: it is the other side
// that the tutorial's codec must agree with.
const (
	kindRequest = iota
	kindOneway
	kindReply
	kindPing
	kindPong
)

// The statuses of replies: served; an error of the application; refused by
// the framework, or by a proxy.
const (
	statusOK = iota
	statusFailed
	statusRefused
)

const (
	magic     = "AWSM"
	prefixLen = 16
	maxHeader = 1<<16 - 1
	maxBody   = 64 << 20
)

// message is one message.
type message struct {
	kind, status uint8
	id           uint32
	header       map[string]string
	body         []byte
}

// readMessage returns io.EOF only between messages.
func readMessage(in *bufio.Reader) (*message, error) {
	var prefix [prefixLen]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	m := &message{kind: prefix[4], status: prefix[5], id: binary.BigEndian.Uint32(prefix[8:])}
	bodyLen := binary.BigEndian.Uint32(prefix[12:])
	if string(prefix[:4]) != magic || m.kind > kindPong || m.status > statusRefused || bodyLen > maxBody {
		return nil, fmt.Errorf("not a message: % x", prefix)
	}
	header := make([]byte, binary.BigEndian.Uint16(prefix[6:]))
	m.body = make([]byte, bodyLen)
	if err := readAll(in, header, m.body); err != nil {
		return nil, err
	}
	var err error
	m.header, err = parseHeader(header)
	return m, err
}

func readAll(in io.Reader, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := io.ReadFull(in, p); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func parseHeader(b []byte) (map[string]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if strings.IndexByte(string(b), '\\') >= 0 {
		return nil, fmt.Errorf("header with an escape: %.80q", b)
	}
	var h map[string]string
	if err := json.Unmarshal(b, &h); err != nil || h == nil {
		return nil, fmt.Errorf("header %.80q: %w", b, errors.Join(err, errors.New("not an object of strings")))
	}
	return h, nil
}

// appendMessage appends m in its wire form; the header's keys are sorted.
func appendMessage(dst []byte, m *message) ([]byte, error) {
	start := len(dst)
	dst = append(append(dst, magic...), m.kind, m.status, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, m.id)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.body)))
	if len(m.header) > 0 {
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(m.header)) {
			if !plain(key) || !plain(m.header[key]) {
				return nil, fmt.Errorf("no place in a header: %q: %q", key, m.header[key])
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = fmt.Appendf(dst, `"%s":"%s"`, key, m.header[key])
		}
		dst = append(dst, '}')
	}
	n := len(dst) - start - prefixLen
	if n > maxHeader || len(m.body) > maxBody {
		return nil, fmt.Errorf("header of %d or body of %d bytes is too long", n, len(m.body))
	}
	binary.BigEndian.PutUint16(dst[start+6:], uint16(n))
	return append(dst, m.body...), nil
}

// plain reports whether text stands in a header without escapes.
func plain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) < 0
}
