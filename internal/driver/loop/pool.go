package loop

import "math/bits"

// The buffers that are kept for reuse: from 512 bytes to 1 MiB, larger ones
// are left to the garbage collector.
const (
	minClass  = 9
	maxClass  = 20
	poolBytes = 16 << 20 // kept idle at most, per loop
)

// pool keeps buffers for bytes that handlers did not consume yet, by powers of
// two. It belongs to one loop.
type pool struct {
	free [maxClass + 1][][]byte
	idle int // bytes in free
}

// get returns an empty buffer with room for n bytes or more.
func (p *pool) get(n int) []byte {
	class := max(bits.Len(uint(n-1)), minClass)
	if class > maxClass {
		return make([]byte, 0, n)
	}
	list := p.free[class]
	if len(list) == 0 {
		return make([]byte, 0, 1<<class)
	}
	b := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[class] = list[:len(list)-1]
	p.idle -= cap(b)
	return b
}

// put takes back what get returned; nil is allowed.
func (p *pool) put(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if cap(b) == 0 || cap(b) > 1<<maxClass || p.idle+cap(b) > poolBytes {
		return
	}
	p.free[class] = append(p.free[class], b[:0])
	p.idle += cap(b)
}

// kept holds the bytes of a connection that its handler did not consume yet.
// Empty, it owns no buffer.
type kept struct {
	buf []byte // from the pool
	off int    // bytes before it are consumed
}

func (k *kept) bytes() []byte { return k.buf[k.off:] }

// append adds a copy of b. The buffer doubles, so that a frame of n bytes that
// arrives in pieces costs at most 2n copies.
func (k *kept) append(p *pool, b []byte) {
	if len(k.buf)+len(b) > cap(k.buf) {
		have := len(k.buf) - k.off
		need := have + len(b)
		if need > cap(k.buf)/2 { // else moving down makes room enough for long
			grown := p.get(max(need, 2*have))
			grown = append(grown, k.bytes()...)
			p.put(k.buf)
			k.buf = grown
		} else {
			k.buf = k.buf[:copy(k.buf[:have], k.bytes())]
		}
		k.off = 0
	}
	k.buf = append(k.buf, b...)
}

// consume drops n bytes from the front.
func (k *kept) consume(p *pool, n int) {
	k.off += n
	if k.off >= len(k.buf) {
		k.release(p)
	}
}

func (k *kept) release(p *pool) {
	p.put(k.buf)
	*k = kept{}
}
