package codectest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// foreign are first bytes that clients of other protocols send, by protocol.
var foreign = []struct {
	protocol string
	bytes    string
}{
	{"http", "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n"},
	{"http", "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n"},
	{"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00"},
	{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x5a", 32)},
	{"tls", "\x16\x03\x01\x01\x80\x01\x00\x01\x7c\x03\x03" + strings.Repeat("\x5a", 32)},
	{"redis", "*2\r\n$4\r\nLLEN\r\n$6\r\nmylist\r\n"},
	{"redis", "PING\r\n"},
	{"dubbo", "\xda\xbb\xc2\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x08\x052.0.2\x30\x30"},
	{"thrift", "\x00\x00\x00\x15\x80\x01\x00\x01\x00\x00\x00\x04ping\x00\x00\x00\x01\x00\x00\x00\x00"},
	{"kafka", "\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07console\x00\x04lib\x061.0.0\x00"},
	{"kafka", "\x00\x00\x00\x20\x00\x00\x00\x09\x00\x00\x00\x05\x00\x07console\x00\x00\xff\xff\x00\x00\x75\x30"},
	{"zookeeper", "\x00\x00\x00\x2d" + strings.Repeat("\x00", 14) + "\x75\x30" + strings.Repeat("\x00", 11) + "\x10" + strings.Repeat("\x00", 17)},
	{"postgres", "\x00\x00\x00\x21\x00\x03\x00\x00user\x00alice\x00database\x00shop\x00\x00"},
	{"postgres", "\x00\x00\x00\x08\x04\xd2\x16\x2f"},
	{"mongo", "\x3a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xd4\x07\x00\x00\x00\x00\x00\x00admin.$cmd\x00"},
	{"mysql", "\x20\x00\x00\x01\x85\xae\xff\x19\x00\x00\x00\x01\xff" + strings.Repeat("\x00", 23)},
	{"memcached", "get somekey\r\n"},
	{"memcached", "\x80\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00somekey"},
	{"amqp", "AMQP\x00\x00\x09\x01"},
	{"mqtt", "\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd"},
	{"ssh", "SSH-2.0-OpenSSH_9.6\r\n"},
	{"brpc", "PRPC\x00\x00\x00\x20\x00\x00\x00\x18" + strings.Repeat("\x0a", 32)},
	{"trpc", "\x09\x30\x00\x00\x00\x00\x00\x20\x00\x10" + strings.Repeat("\x00", 22)},
	{"proxy", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"},
	{"proxy", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + strings.Repeat("\x01", 12)},
	{"zeros", strings.Repeat("\x00", 64)},
	{"ones", strings.Repeat("\xff", 64)},
	{"text", strings.Repeat("All work and no play. ", 4)},
}

// checkSniffing: the first message of a client is known for what it is, at
// the latest when it is whole; the first bytes of others are not.
func (s *suite) checkSniffing() {
	if !s.p.Traits().ServerFirst {
		for _, f := range s.frames {
			if f.first && f.side == codec.FromClient {
				s.sniffOwn(f)
			}
		}
	}
	for _, x := range foreign {
		if slices.Contains(s.kit.Speaks, x.protocol) {
			continue
		}
		for k := 1; k <= len(x.bytes); k++ {
			if s.p.Sniff([]byte(x.bytes[:k])) == codec.Yes {
				s.failf("the first %d bytes of %s are taken for %s: %x", k, x.protocol, s.p.Traits().Name, x.bytes[:k])
				break
			}
		}
	}
}

func (s *suite) sniffOwn(f *frame) {
	verdict := codec.More
	for _, k := range append(cuts(len(f.b), 256), len(f.b)) {
		s.at("%s: sniffing %d bytes", f.name, k)
		b := bytes.Clone(f.b[:k])
		got := s.p.Sniff(b)
		if got == codec.No || verdict == codec.Yes && got != codec.Yes {
			s.failf("%s: the verdict on %d bytes is %d, before it was %d", f.name, k, got, verdict)
			return
		}
		if !bytes.Equal(b, f.b[:k]) {
			s.failf("%s: sniffing changed the bytes", f.name)
		}
		verdict = got
	}
	if verdict != codec.Yes {
		s.failf("%s: a whole message is not known: verdict %d", f.name, verdict)
	}
}
