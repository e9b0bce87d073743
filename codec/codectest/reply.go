package codectest

import (
	"bytes"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
)

// origin is what the engine keeps of a request.
func origin(b []byte, m *codec.Message) *codec.Origin {
	return &codec.Origin{ID: m.ID, Memo: m.Memo, Variant: m.Variant, Kept: bytes.Clone(m.Keep.Of(b))}
}

// checkNumbers: a rewritten id reads back, changes nothing else, and the old
// one brings the old bytes back.
func (s *suite) checkNumbers() {
	n, ok := s.p.(codec.Renumberer)
	if !ok {
		return
	}
	mask := uint64(1)<<n.Bits() - 1
	numbered := false
	for _, f := range s.frames {
		if !n.CanPutID(&f.m) || f.m.Kind == codec.GoAway {
			continue
		}
		numbered = true
		b := bytes.Clone(f.b)
		for _, id := range []uint64{0, 1, mask >> 1, mask, 0x0102030405060708 & mask, f.m.ID & mask} {
			s.at("%s: id %#x", f.name, id)
			n.PutID(b[:f.m.Head:f.m.Head], &f.m, id)
			d := s.ready(f)
			var m codec.Message
			if err := d.Next(b, s.all, s.memo(f), &m); err != nil {
				s.failf("%s: with id %#x: %v", f.name, id, err)
				continue
			}
			got, want := s.outcome(d, b[:m.Head], &m, s.refs), f.out
			if got.m.ID != id || !n.CanPutID(&m) {
				s.failf("%s: id %#x reads back as %#x", f.name, id, got.m.ID)
			}
			// A memo may hold the id: it is the codec's own.
			want.m.ID, want.m.Memo = got.m.ID, got.m.Memo
			if got != want {
				s.failf("%s: with id %#x: %s", f.name, id, differs(got, want))
			}
		}
		if !bytes.Equal(b, f.b) {
			s.failf("%s: its own id written back does not make the same bytes:\n%x\n%x", f.name, b, f.b)
		}
	}
	if !numbered {
		s.failf("no captured message can be renumbered")
	}
}

// lastCause is one more than the highest Cause there is: there will be more.
const lastCause = codec.BadReply + 1

// checkReplies: the engine's own answer to every request is one reply with the
// request's id, as the client's decoder sees it.
func (s *suite) checkReplies() {
	r, ok := s.p.(codec.Responder)
	if !ok {
		return
	}
	for _, f := range s.frames {
		if f.side != codec.FromClient || f.m.Kind != codec.Request {
			continue
		}
		o := origin(f.b, &f.m)
		for cause := codec.NoRoute; cause <= lastCause; cause++ {
			for _, text := range []string{"", "no route matches", `"it's" \ {}`, strings.Repeat("long ", 60)} {
				s.at("%s: reply of cause %d (%v), text %.20q", f.name, cause, cause, text)
				dst := r.AppendReply([]byte("before"), o, codec.LocalReply{Cause: cause, Text: text})
				b, kept := bytes.CutPrefix(dst, []byte("before"))
				if !kept {
					s.failf("%s: AppendReply changed what stood before it", f.name)
					continue
				}
				s.localReply(f, o, b)
			}
		}
		if !bytes.Equal(o.Kept, f.m.Keep.Of(f.b)) {
			s.failf("%s: AppendReply changed what was kept", f.name)
		}
	}
}

func (s *suite) localReply(f *frame, o *codec.Origin, b []byte) {
	m, err := s.decodeMade(codec.FromServer, b, o.Memo)
	switch {
	case err != nil:
		s.failf("%s: %s is not decoded: %v\n%x", f.name, s.where(), err, b)
	case m.Kind != codec.Reply || m.Status == codec.OK:
		s.failf("%s: %s is a %v of status %d", f.name, s.where(), m.Kind, m.Status)
	case m.ID != o.ID:
		s.failf("%s: %s has id %#x instead of %#x", f.name, s.where(), m.ID, o.ID)
	case m.Size != int64(len(b)):
		s.failf("%s: %s has %d bytes, of which %d are the reply", f.name, s.where(), len(b), m.Size)
	}
}

// decodeMade decodes one message that the codec made itself.
func (s *suite) decodeMade(side codec.Side, b []byte, memo uint64) (m codec.Message, err error) {
	if len(b) == 0 {
		return m, codec.ErrMore
	}
	answer := func(uint64) uint64 { return memo }
	err = s.p.Decoder(side, s.kit.Limits).Next(b, s.all, answer, &m)
	return m, err
}

// checkHeartbeats: a heartbeat and the answer to it are what they should be
// to the decoder of whoever gets them.
func (s *suite) checkHeartbeats() {
	h, ok := s.p.(codec.Heartbeater)
	if !ok {
		return
	}
	for _, id := range []uint64{0, 1, 0x7fffffff} {
		s.at("heartbeat with id %d", id)
		b := h.AppendHeartbeat(nil, id)
		m, err := s.decodeMade(codec.FromClient, b, 0)
		if err != nil || m.Kind != codec.Heartbeat || m.Size != int64(len(b)) {
			s.failf("heartbeat %x is decoded to %v of %d bytes: %v", b, m.Kind, m.Size, err)
			continue
		}
		s.heartbeatReply(h, codec.FromServer, b, &m)
	}
	for _, f := range s.frames {
		if f.m.Kind == codec.Heartbeat {
			s.at("%s: heartbeat", f.name)
			s.heartbeatReply(h, codec.FromClient+codec.FromServer-f.side, f.b, &f.m)
		}
	}
}

func (s *suite) heartbeatReply(h codec.Heartbeater, side codec.Side, b []byte, m *codec.Message) {
	reply := h.AppendHeartbeatReply(nil, b, m)
	got, err := s.decodeMade(side, reply, m.Memo)
	if err != nil || got.Kind != codec.HeartbeatReply || got.ID != m.ID || got.Size != int64(len(reply)) {
		s.failf("%s: the answer %x is decoded to %v with id %d instead of %d: %v",
			s.where(), reply, got.Kind, got.ID, m.ID, err)
	}
}

// checkGoAway: the message that ends a connection is one to its client.
func (s *suite) checkGoAway() {
	g, ok := s.p.(codec.GoAwayer)
	if !ok {
		return
	}
	b := g.AppendGoAway(nil)
	m, err := s.decodeMade(codec.FromServer, b, 0)
	if err != nil || m.Kind != codec.GoAway || m.Size != int64(len(b)) {
		s.failf("go-away %x is decoded to %v of %d bytes: %v", b, m.Kind, m.Size, err)
	}
}
