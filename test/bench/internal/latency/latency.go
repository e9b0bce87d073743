// Package latency records durations in a log-linear histogram of fixed size.
package latency

import (
	"math/bits"
	"time"
)

const (
	subBits = 7 // 128 buckets per power of two: a quantile is at most 0.8 % too high
	sub     = 1 << subBits
)

// Recorder counts durations. The zero value is ready. It is not safe for
// concurrent use; recording never allocates.
type Recorder struct {
	counts [(64 - subBits + 1) * sub]uint64
	total  uint64
	max    time.Duration
}

// Record adds one duration; a negative one counts as zero.
func (r *Recorder) Record(d time.Duration) {
	d = max(d, 0)
	r.counts[bucket(uint64(d))]++
	r.total++
	r.max = max(r.max, d)
}

// bucket is exact below 128 ns and keeps the seven bits after the leading one above.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-1-subBits, 0)
	return shift*sub + int(v>>shift)
}

// upper is the largest value of a bucket.
func upper(b int) uint64 {
	if b < 2*sub {
		return uint64(b)
	}
	shift := b/sub - 1
	return (uint64(b-shift*sub)+1)<<shift - 1
}

// Count is the number of durations recorded.
func (r *Recorder) Count() uint64 { return r.total }

// Max is the longest duration recorded, exactly.
func (r *Recorder) Max() time.Duration { return r.max }

// Quantile returns the smallest bucket bound that at least the share q (above
// 0, at most 1) of all durations does not exceed; 0 when nothing was recorded.
func (r *Recorder) Quantile(q float64) time.Duration {
	if r.total == 0 {
		return 0
	}
	rank := uint64(q * float64(r.total))
	if float64(rank) < q*float64(r.total) {
		rank++
	}
	var seen uint64
	for b, n := range r.counts {
		if seen += n; seen >= rank && n > 0 {
			return min(time.Duration(upper(b)), r.max)
		}
	}
	return r.max
}

// Reset forgets everything recorded.
func (r *Recorder) Reset() { *r = Recorder{} }
