package wire

// Patch is a set of replacements to be made in one message while it is copied
// to where it is sent. It owns the bytes to be inserted; both it and they are
// reused after Reset, so editing allocates nothing in steady state.
// The zero Patch is ready for use. It belongs to one worker.
type Patch struct {
	// Ins is where inserted bytes are appended between Open and Close.
	Ins   []byte
	parts []part
	from  int // start in Ins of the open part
}

type part struct {
	at, del  int // bytes [at, at+del) of the message are replaced …
	from, to int // … by Ins[from:to]
}

// Reset makes the patch empty.
func (p *Patch) Reset() { p.Ins, p.parts = p.Ins[:0], p.parts[:0] }

// Empty reports whether the patch changes nothing.
func (p *Patch) Empty() bool { return len(p.parts) == 0 }

// Replace replaces del bytes at offset at by a copy of ins.
func (p *Patch) Replace(at, del int, ins []byte) {
	p.Open(at, del)
	p.Ins = append(p.Ins, ins...)
	p.Close()
}

// Open begins a replacement of del bytes at offset at: append the new bytes to
// p.Ins, then call Close. Replacements may be given in any order and must not
// overlap; two at one offset are made in the order given.
func (p *Patch) Open(at, del int) {
	i := len(p.parts)
	p.parts = append(p.parts, part{})
	for i > 0 && p.parts[i-1].at > at { // few parts: insertion keeps them sorted
		p.parts[i] = p.parts[i-1]
		i--
	}
	p.from = i
	p.parts[i] = part{at: at, del: del, from: len(p.Ins), to: -1}
}

// Close ends the replacement that Open began.
func (p *Patch) Close() { p.parts[p.from].to = len(p.Ins) }

// Grow returns by how many bytes the patch lengthens the message; negative
// where it shortens it.
func (p *Patch) Grow() int {
	n := 0
	for _, s := range p.parts {
		n += s.to - s.from - s.del
	}
	return n
}

// AppendTo appends b with all replacements made to dst.
func (p *Patch) AppendTo(dst, b []byte) []byte {
	at := 0
	for _, s := range p.parts {
		dst = append(dst, b[at:s.at]...)
		dst = append(dst, p.Ins[s.from:s.to]...)
		at = s.at + s.del
	}
	return append(dst, b[at:]...)
}
