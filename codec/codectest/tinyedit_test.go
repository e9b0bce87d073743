package codectest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// fields are those of a tiny message, not read yet: ";key=value;…".
type fields struct{ b []byte }

func (f *fields) next() (key, value []byte, ok bool) {
	if len(f.b) == 0 {
		return nil, nil, false
	}
	field := f.b[1:]
	if i := bytes.IndexByte(field, ';'); i >= 0 {
		field = field[:i:i]
	}
	f.b = f.b[1+len(field):]
	key, value, _ = bytes.Cut(field, []byte{'='})
	return key, value, true
}

// entry returns the key of a field. Nothing has two names.
func (p *tiny) entry(r codec.Ref) (key string, ok bool) {
	if r.Property == 1 {
		return "trace", true
	}
	return r.Key, r.Key != "trace" || p.twoNames
}

func (p *tiny) Mutate(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	for _, e := range edits {
		key, ok := p.entry(e.Ref)
		if !ok || strings.ContainsAny(key, ";=") || bytes.IndexByte(e.Value, ';') >= 0 && !p.injects {
			return codec.ErrNoCarrier
		}
	}
	if p.disorders {
		edits = slices.Clone(edits)
		slices.Reverse(edits)
	}
	end := tinyHeader + int(b[3])
	patch.Open(end-int(m.Notes[1].Len), int(m.Notes[1].Len))
	from := len(patch.Ins)
	for f := (fields{m.Notes[1].Of(b)}); ; {
		key, value, more := f.next()
		if !more {
			break
		}
		patch.Ins = p.appendEdited(patch.Ins, string(key), value, true, edits)
	}
	for i, e := range edits {
		key, _ := p.entry(e.Ref)
		again := slices.ContainsFunc(edits[:i], func(o codec.Edit) bool { k, _ := p.entry(o.Ref); return k == key })
		if !again && !bytes.Contains(m.Notes[1].Of(b), []byte(";"+key+"=")) {
			patch.Ins = p.appendEdited(patch.Ins, key, nil, false, edits)
		}
	}
	n := end - tinyHeader - int(m.Notes[1].Len) + len(patch.Ins) - from
	patch.Close()
	if n > 255 && !p.wraps {
		return codec.ErrNoCarrier
	}
	if p.mutatesLength && n > 5 {
		n--
	}
	if p.mutatesNothing {
		patch.Reset()
		return nil
	}
	patch.Open(3, 1)
	patch.Ins = append(patch.Ins, byte(n))
	patch.Close()
	if p.copiesID {
		patch.Replace(4, 4, b[4:8])
	}
	return nil
}

// appendEdited appends a field as all edits of its key leave it, if they do.
func (p *tiny) appendEdited(dst []byte, key string, value []byte, present bool, edits []codec.Edit) []byte {
	for _, e := range edits {
		switch k, _ := p.entry(e.Ref); {
		case k != key:
		case e.Op == codec.Remove:
			present = false
		case e.Op == codec.Set || !present:
			value, present = e.Value, true
		}
	}
	if !present {
		return dst
	}
	dst = append(append(dst, ';'), key...)
	return append(append(dst, '='), value...)
}
