package engine

// picker chooses among weighted items so that every run of total picks gives
// each item exactly its weight, spread evenly, from a random start: a thousand
// workers with three requests each still send a canary its share.
type picker struct {
	total  uint64
	at     uint64
	step   uint64
	bounds []uint64 // cumulative weights
}

// newPicker prepares a picker; at least one weight must not be 0.
func newPicker(weights []uint32, random uint64) picker {
	p := picker{bounds: make([]uint64, len(weights))}
	for i, w := range weights {
		p.total += uint64(w)
		p.bounds[i] = p.total
	}
	if p.total == 0 {
		return p
	}
	p.at = random % p.total
	// A step near the golden section visits every residue once per round and
	// leaves no long run within one item.
	for p.step = p.total*618/1000 | 1; gcd(p.step, p.total) != 1; p.step += 2 {
	}
	return p
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// next returns the index of the chosen item.
func (p *picker) next() int {
	if len(p.bounds) == 1 {
		return 0
	}
	if p.at += p.step; p.at >= p.total {
		p.at %= p.total
	}
	lo, hi := 0, len(p.bounds)-1
	for lo < hi {
		if mid := (lo + hi) / 2; p.at < p.bounds[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
