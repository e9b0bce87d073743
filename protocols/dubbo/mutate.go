package dubbo

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/wire"
)

// editor is the working memory of one Mutate.
type editor struct {
	cur     cursor
	entries []entry // of the map, those that an edit names
	added   []int   // edits that become new entries; -1 where a later one took it back
	text    []byte
}

// editors keeps editors that no worker uses. A sync.Pool forgets what it keeps,
// and editing must not allocate.
type editors [16]atomic.Pointer[editor]

func (s *editors) take() *editor {
	for i := range s {
		if e := s[i].Swap(nil); e != nil {
			return e
		}
	}
	return new(editor)
}

// put takes e back, without the bytes that it looked at and without what an
// unusual message made large.
func (s *editors) put(e *editor) {
	clear(e.entries) // views of the message
	e.cur.b = nil
	if cap(e.cur.stack)+cap(e.cur.defs)+cap(e.entries)+cap(e.text) > maxKept {
		return
	}
	for i := range s {
		if s[i].CompareAndSwap(nil, e) {
			return
		}
	}
}

// maxKept bounds, in elements, what an editor and what a decoder keep.
const maxKept = 1024

// entry is an attachment of the message.
type entry struct {
	from, value, to int // the key begins at from, its value at value; both end at to
	key             []byte
	edit            int // that sets it; -1: none
	removed         bool
	fixed           bool // must stay: later values may refer to it
}

// place is where the attachments of a message stand.
type place struct {
	from, to int  // the map with what frames it; where there is none, both are where it goes
	end      int  // new entries go here
	there    bool // as a map; not as a null, or not at all
}

// Mutate implements codec.Mutator: it edits attachments. Strings are not
// counted by Hessian's references, so adding, replacing and removing them
// leaves all references right. An attachment whose value is a structure is
// neither replaced nor removed, for later values may refer to it or into it:
// then, and where the body cannot be read, it returns ErrNoCarrier.
//
// A reply without attachments is given them only if its request came from a
// client that reads them.
func (p *Protocol) Mutate(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	if !Readable(m.Variant) || Malformed(m) {
		return codec.ErrNoCarrier
	}
	e := p.editors.take()
	defer p.editors.put(e)
	switch m.Kind {
	case codec.Request, codec.Oneway:
		return e.request(patch, b, m, edits)
	case codec.Reply:
		return e.reply(patch, b, m, edits)
	}
	return codec.ErrNoCarrier
}

func (e *editor) request(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	at := m.Notes[noteMap]
	if at.Len == 0 || !e.cur.rewind(b, m, maxEditDepth) {
		return codec.ErrNoCarrier
	}
	return e.apply(patch, b, edits)
}

// maxEditDepth bounds the nesting of what an editor passes over. Decoders have
// refused deeper messages unless a configuration allows them.
const maxEditDepth = 1 << 10

// reply edits a reply, which Next need not have read to its end.
func (e *editor) reply(patch *wire.Patch, b []byte, m *codec.Message, edits []codec.Edit) error {
	if m.Status == codec.ProtocolError {
		return codec.ErrNoCarrier
	}
	c := &e.cur
	c.start(b, headerLen, m.Variant, maxEditDepth)
	v, ok := c.value()
	typeEnd := c.off
	if !ok || v.num != resultNull && v.num != resultNullAttached && !c.skip() {
		return codec.ErrNoCarrier
	}
	if v.num >= resultExceptionAttached {
		return e.apply(patch, b, edits)
	}
	e.entries = e.entries[:0]
	e.fold(edits)
	if !e.adds() {
		return nil
	}
	if m.Memo&memoAttachments == 0 {
		return codec.ErrNoCarrier
	}
	patch.Open(headerLen, typeEnd-headerLen)
	patch.Ins = appendResultType(patch.Ins, c.json, withAttachments[v.num])
	patch.Close()
	e.insertMap(patch, place{from: c.off, to: c.off}, edits)
	return setLength(patch, b)
}

// apply edits the attachments that begin where the cursor is.
func (e *editor) apply(patch *wire.Patch, b []byte, edits []codec.Edit) error {
	at, ok := e.find(b, edits)
	if !ok {
		return codec.ErrNoCarrier
	}
	e.fold(edits)
	if !at.there {
		if !e.adds() {
			return nil
		}
		e.insertMap(patch, at, edits)
		return setLength(patch, b)
	}
	grown := patch.Grow()
	for _, x := range e.entries {
		switch {
		case !x.removed && x.edit < 0:
		case x.fixed:
			return codec.ErrNoCarrier
		case x.removed:
			patch.Replace(x.from, x.to-x.from, nil)
		default:
			patch.Open(x.value, x.to-x.value)
			patch.Ins = appendText(patch.Ins, e.cur.json, edits[x.edit].Value)
			patch.Close()
		}
	}
	if e.adds() {
		patch.Open(at.end, 0)
		patch.Ins = e.appendAdded(patch.Ins, edits)
		patch.Close()
	}
	if e.cur.json {
		setUint32(patch, at.from, at.to-at.from-docLen+patch.Grow()-grown)
	}
	return setLength(patch, b)
}

// find reads the attachments and keeps the entries that an edit names.
func (e *editor) find(b []byte, edits []codec.Edit) (at place, ok bool) {
	c := &e.cur
	e.entries, e.text = e.entries[:0], e.text[:0]
	at.from = c.off
	end, there, ok := c.openMap()
	if !ok {
		return at, false
	}
	for at.there = there; there; {
		x := entry{from: c.off, edit: -1}
		if at.end = c.off; c.atEnd() {
			break
		}
		c.compound = false
		key, keyOK := c.element()
		x.value = c.off
		_, ok := c.element()
		if !keyOK || !ok {
			return at, false
		}
		x.to, x.fixed = c.off, c.compound
		if key.kind != textValue {
			continue
		}
		if x.key, e.text = utf8Of(e.text, b, key.span, key.enc); named(edits, x.key) {
			e.entries = append(e.entries, x)
		}
	}
	if c.json && !c.closeDoc(end) {
		return at, false
	}
	at.to = c.off
	return at, true
}

// fold works out what the edits, in their order, do to the entries found, and
// which of them make new ones.
func (e *editor) fold(edits []codec.Edit) {
	e.added = e.added[:0]
	for i := range edits {
		key := edits[i].Ref.Key
		switch edits[i].Op {
		case codec.Set:
			if !e.replace(key, i, edits) {
				e.added = append(e.added, i)
			}
		case codec.Add:
			if !e.has(key, edits) {
				e.added = append(e.added, i)
			}
		case codec.Remove:
			e.remove(key, edits)
		}
	}
}

// replace sets the entries with this very key, old or new, by an edit.
func (e *editor) replace(key string, by int, edits []codec.Edit) (done bool) {
	for i := range e.entries {
		if x := &e.entries[i]; !x.removed && string(x.key) == key {
			x.edit, done = by, true
		}
	}
	for i, a := range e.added {
		if a >= 0 && edits[a].Ref.Key == key {
			e.added[i], done = by, true
		}
	}
	return done
}

// has reports whether an entry, old or new, has this key in any case.
func (e *editor) has(key string, edits []codec.Edit) bool {
	for i := range e.entries {
		if x := &e.entries[i]; !x.removed && equalFold(x.key, key) {
			return true
		}
	}
	for _, a := range e.added {
		if a >= 0 && strings.EqualFold(edits[a].Ref.Key, key) {
			return true
		}
	}
	return false
}

// remove takes away every entry, old or new, with this key in any case.
func (e *editor) remove(key string, edits []codec.Edit) {
	for i := range e.entries {
		if x := &e.entries[i]; equalFold(x.key, key) {
			x.removed = true
		}
	}
	for i, a := range e.added {
		if a >= 0 && strings.EqualFold(edits[a].Ref.Key, key) {
			e.added[i] = -1
		}
	}
}

// adds reports whether there are new entries.
func (e *editor) adds() bool {
	for _, a := range e.added {
		if a >= 0 {
			return true
		}
	}
	return false
}

// named reports whether an edit names the key, in any case.
func named(edits []codec.Edit, key []byte) bool {
	for i := range edits {
		if equalFold(key, edits[i].Ref.Key) {
			return true
		}
	}
	return false
}

// insertMap puts a map of the new entries in the place of the attachments.
func (e *editor) insertMap(patch *wire.Patch, at place, edits []codec.Edit) {
	patch.Open(at.from, at.to-at.from)
	if !e.cur.json {
		patch.Ins = append(patch.Ins, hessianMap)
		patch.Ins = append(e.appendAdded(patch.Ins, edits), hessianEnd)
		patch.Close()
		return
	}
	doc := len(patch.Ins)
	patch.Ins = append(patch.Ins, 0, 0, 0, 0, jsonbObject)
	patch.Ins = append(e.appendAdded(patch.Ins, edits), jsonbObjectEnd)
	patch.Ins = closeDoc(patch.Ins, doc)
	patch.Close()
}

func (e *editor) appendAdded(dst []byte, edits []codec.Edit) []byte {
	for _, a := range e.added {
		if a >= 0 {
			dst = appendText(dst, e.cur.json, edits[a].Ref.Key)
			dst = appendText(dst, e.cur.json, edits[a].Value)
		}
	}
	return dst
}

func appendText[T string | []byte](dst []byte, json bool, text T) []byte {
	if json {
		return appendJSONBText(dst, text)
	}
	return appendHessianText(dst, text)
}

// setLength makes the header's length that of the patched body.
func setLength(patch *wire.Patch, b []byte) error {
	n := len(b) - headerLen + patch.Grow()
	if n > maxBody {
		return codec.ErrNoCarrier
	}
	setUint32(patch, lengthOffset, n)
	return nil
}

func setUint32(patch *wire.Patch, at, n int) {
	patch.Open(at, 4)
	patch.Ins = binary.BigEndian.AppendUint32(patch.Ins, uint32(n))
	patch.Close()
}
