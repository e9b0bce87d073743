package latency

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsCoverEveryValueOnceAndInOrder(t *testing.T) {
	for b := 1; b < len(Recorder{}.counts)-2*sub; b++ {
		lo, hi := upper(b-1)+1, upper(b)
		if bucket(lo) != b || bucket(hi) != b {
			t.Fatalf("bucket %d holds [%d, %d], but they fall in %d and %d", b, lo, hi, bucket(lo), bucket(hi))
		}
		if float64(hi-lo) > float64(lo)/sub {
			t.Fatalf("bucket %d, [%d, %d], is wider than 1/%d", b, lo, hi, sub)
		}
	}
	var r Recorder
	r.Record(math.MaxInt64)
	if r.Quantile(1) != math.MaxInt64 {
		t.Errorf("the longest duration became %d", r.Quantile(1))
	}
}

func TestQuantilesAgainstASortedList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var r Recorder
	var all []time.Duration
	for range 100_000 {
		d := time.Duration(math.Exp(rnd.Float64()*12) * 1000)
		r.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.99, 0.999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		got := r.Quantile(q)
		if got < want || float64(got-want) > float64(want)*0.008 {
			t.Errorf("quantile %v is %v, want %v to 0.8 %% above it", q, got, want)
		}
	}
	if r.Max() != all[len(all)-1] || r.Count() != uint64(len(all)) {
		t.Errorf("max %v, count %d", r.Max(), r.Count())
	}
}

func TestQuantilesOfAFew(t *testing.T) {
	var r Recorder
	for d := range time.Duration(3) {
		r.Record(d + 1)
	}
	for q, want := range map[float64]time.Duration{0.01: 1, 0.34: 2, 0.5: 2, 0.67: 3, 1: 3} {
		if got := r.Quantile(q); got != want {
			t.Errorf("quantile %v of 1, 2, 3 is %d, want %d", q, got, want)
		}
	}
}

func TestEmptyNegativeAndReset(t *testing.T) {
	var r Recorder
	if r.Quantile(0.5) != 0 {
		t.Error("an empty recorder has a median")
	}
	r.Record(-time.Second)
	r.Record(3)
	if r.Quantile(0.5) != 0 || r.Quantile(1) != 3 {
		t.Errorf("quantiles %v, %v", r.Quantile(0.5), r.Quantile(1))
	}
	r.Reset()
	if r.Count() != 0 || r.Max() != 0 || r.Quantile(1) != 0 {
		t.Error("reset left something")
	}
}
