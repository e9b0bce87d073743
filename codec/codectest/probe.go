package codectest

import (
	"github.com/aeraki-mesh/aeraki/codec"
)

// maxEvents bounds the messages that are read from hostile bytes.
const maxEvents = 64

// probe decodes hostile bytes in the place of f, and does with each message
// what the engine does.
func (s *suite) probe(f *frame, b []byte) {
	d := s.ready(f)
	memo := s.memo(f)
	m := &s.message
	for range maxEvents {
		if len(b) == 0 {
			return
		}
		*m = codec.Message{}
		err := d.Next(b, s.all, memo, m)
		if err != nil {
			if isMore(err) && (m.Scan < 0 || m.Scan > len(b) || m.Need != 0 && m.Need <= len(b) || int64(m.Need) > s.kit.Limits.Message) {
				s.failf("%s (%#x): with %d bytes there, Scan is %d and Need %d", s.where(), s.hostile, len(b), m.Scan, m.Need)
			}
			return
		}
		if err := found(m, len(b)); err != nil {
			s.failf("%s (%#x): %v", s.where(), s.hostile, err)
			return
		}
		if m.Size > s.kit.Limits.Message {
			s.failf("%s (%#x): a message of %d bytes is accepted with a limit of %d", s.where(), s.hostile, m.Size, s.kit.Limits.Message)
		}
		s.use(f.side, d, b, m)
		if m.Size > int64(len(b)) {
			return
		}
		b = b[m.Size:]
	}
}

// use calls whatever the engine may call with a message.
func (s *suite) use(side codec.Side, d codec.Decoder, b []byte, m *codec.Message) {
	for _, r := range s.refs {
		d.Get(b[:m.Head:m.Head], m, r)
	}
	if n, ok := s.p.(codec.Renumberer); ok && n.CanPutID(m) {
		s.scratch = append(s.scratch[:0], b[:m.Head]...)
		n.PutID(s.scratch, m, (1<<40-1)&(1<<n.Bits()-1))
	}
	if r, ok := s.p.(codec.Responder); ok && side == codec.FromClient && m.Kind == codec.Request {
		s.origin = codec.Origin{ID: m.ID, Memo: m.Memo, Variant: m.Variant, Kept: m.Keep.Of(b)}
		s.buffer = r.AppendReply(s.buffer[:0], &s.origin, codec.LocalReply{Cause: codec.TimedOut, Text: "codectest"})
	}
	if r, ok := s.p.(codec.Retrier); ok && m.Kind == codec.Request {
		r.SafeToRetry(b[:m.Head], m)
	}
	if h, ok := s.p.(codec.Heartbeater); ok && m.Kind == codec.Heartbeat {
		s.buffer = h.AppendHeartbeatReply(s.buffer[:0], b[:m.Head], m)
	}
	if mutator, ok := s.p.(codec.Mutator); ok && m.Size <= int64(len(b)) && len(s.edits) > 0 {
		s.mutateSome(mutator, b[:m.Size:m.Size], m)
	}
}

// mutateSome makes all edits together, and one of the others, another one each
// time: all of them would take most of the time there is.
func (s *suite) mutateSome(mutator codec.Mutator, whole []byte, m *codec.Message) {
	s.turn = (s.turn + 1) % len(s.edits)
	for _, i := range [2]int{s.turn, len(s.edits) - 1} {
		s.patch.Reset()
		switch err := mutator.Mutate(&s.patch, whole, m, s.edits[i]); err {
		case nil:
			s.buffer = s.patch.AppendTo(s.buffer[:0], whole)
		case codec.ErrNoCarrier:
		default:
			s.failf("%s (%#x): mutating: %v", s.where(), s.hostile, err)
		}
	}
}
