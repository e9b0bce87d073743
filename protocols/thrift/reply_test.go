package thrift

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
)

// A local reply is, byte for byte, the exception that a server would send:
// without the service's name, and with the ids of header and message.
func TestLocalRepliesInEveryVariant(t *testing.T) {
	for _, v := range variants {
		b := call(v, typeCall, "Calculator:add", 7, noFields)
		m, _, err := next(codec.FromClient, b)
		if err != nil {
			t.Fatal(err)
		}
		o := codec.Origin{ID: m.ID, Memo: m.Memo, Variant: m.Variant, Kept: m.Keep.Of(b)}
		want := call(v, typeException, "add", 7, func(v uint8) []byte {
			if v&protocolMask == compact {
				return []byte{0x18, 2, 'n', 'o', 0x15, 2}
			}
			return []byte{11, 0, 1, 0, 0, 0, 2, 'n', 'o', 8, 0, 2, 0, 0, 0, 1}
		})
		if got := New().AppendReply(nil, &o, codec.LocalReply{Cause: codec.NoRoute, Text: "no"}); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x instead of\n%x", variantName(v), got, want)
		}
	}
}

func TestHeaderAndMessageIDsAreAnsweredEach(t *testing.T) {
	b := call(header|binaryStrict, typeCall, "f", 7, noFields)
	b[headerSeqAt+3] = 9
	m, _, err := next(codec.FromClient, b)
	if err != nil {
		t.Fatal(err)
	}
	o := codec.Origin{ID: m.ID, Memo: m.Memo, Variant: m.Variant, Kept: m.Keep.Of(b)}
	reply, _, err := next(codec.FromServer, New().AppendReply(nil, &o, codec.LocalReply{Cause: codec.TimedOut}))
	if err != nil || reply.ID != 7 || reply.Memo != 9 {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestExceptionTypes(t *testing.T) {
	for cause, want := range map[codec.Cause]byte{
		codec.NoRoute: unknownMethod, codec.BadReply: protocolError, codec.Unsupported: protocolError,
		codec.NoUpstream: internalError, codec.TimedOut: internalError, codec.Limited: internalError,
	} {
		b := New().AppendReply(nil, &codec.Origin{Variant: framed | binaryStrict}, codec.LocalReply{Cause: cause})
		if got := b[len(b)-2]; got != want {
			t.Errorf("cause %d has type %d", cause, got)
		}
	}
}

func TestLongNamesAreKeptInPart(t *testing.T) {
	b := call(framed|binaryStrict, typeCall, strings.Repeat("n", 300), 7, noFields)
	if m, _, err := next(codec.FromClient, b); err != nil || m.Keep.Len != maxKept {
		t.Errorf("%+v, %v", m.Keep, err)
	}
}
