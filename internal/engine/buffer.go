package engine

// Buffers are the worker's, not the connections': an idle connection owns
// none. Limits of what is kept for reuse, found by measurement: below 1 MiB a
// batch of 64 × 4 KiB made garbage.
const (
	keepBuffer  = 1 << 20 // a larger one is left to the garbage collector
	keepBuffers = 8 << 20 // bytes kept in all
	minBuffer   = 512
)

// buffers is a worker's stock of output buffers.
type buffers struct {
	free [][]byte
	size int // sum of their capacities
}

// get returns an empty buffer.
func (p *buffers) get() []byte {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.size -= cap(b)
		return b
	}
	return make([]byte, 0, minBuffer)
}

// put takes a buffer back. nil is allowed.
func (p *buffers) put(b []byte) {
	if cap(b) == 0 || cap(b) > keepBuffer || p.size+cap(b) > keepBuffers {
		return
	}
	p.size += cap(b)
	p.free = append(p.free, b[:0])
}
