package main

import (
	"encoding/json"
	"maps"
	"math/bits"
	"sync"
	"time"
)

// maxErrorTexts bounds what an endless client keeps; further texts count as "other".
const maxErrorTexts = 50

// figures are one line of the client's output; ../README.md says what they mean.
type figures struct {
	Sent      int64            `json:"sent"`
	OK        int64            `json:"ok"`
	Errors    map[string]int64 `json:"errors"`
	Wrong     int64            `json:"wrong"`
	ByVersion map[string]int64 `json:"by_version"`
	P50       int64            `json:"p50_us"`
	P99       int64            `json:"p99_us"`
	RPS       float64          `json:"rps"` // right replies per second
}

// intervalFigures are figures of one interval and the sums since the start.
type intervalFigures struct {
	figures
	TotalSent   int64 `json:"total_sent"`
	TotalOK     int64 `json:"total_ok"`
	TotalErrors int64 `json:"total_errors"`
	TotalWrong  int64 `json:"total_wrong"`
}

// report counts for all connections of a client; its methods may be called from any goroutine.
type report struct {
	mu      sync.Mutex
	total   window
	current window
}

func newReport() *report {
	now := time.Now()
	return &report{total: newWindow(now), current: newWindow(now)}
}

func (r *report) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.Sent++
	r.current.Sent++
}

func (r *report) end(a answer, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.add(a, took)
	r.current.add(a, took)
}

// failed reports whether any request brought an error or a wrong reply.
func (r *report) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total.Wrong > 0 || len(r.total.Errors) > 0
}

// final returns the last line: everything since the start.
func (r *report) final() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return line(r.total.close(time.Now()))
}

// interval returns the line of the time since the one before.
func (r *report) interval() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	f := intervalFigures{
		figures:     r.current.close(now),
		TotalSent:   r.total.Sent,
		TotalOK:     r.total.OK,
		TotalErrors: r.total.errors(),
		TotalWrong:  r.total.Wrong,
	}
	r.current = newWindow(now)
	return line(f)
}

func line(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// Only numbers, strings and maps of them go in.
		panic(err)
	}
	return append(b, '\n')
}

// window is what happened in a span of time.
type window struct {
	figures
	start   time.Time
	latency histogram
}

func newWindow(start time.Time) window {
	return window{start: start, figures: figures{Errors: map[string]int64{}, ByVersion: map[string]int64{}}}
}

func (w *window) add(a answer, took time.Duration) {
	switch {
	case a.wrong:
		w.Wrong++
		return
	case a.err != nil:
		text := errorText(a.err)
		if _, known := w.Errors[text]; !known && len(w.Errors) >= maxErrorTexts {
			text = "other"
		}
		w.Errors[text]++
		return
	}
	w.OK++
	w.latency.add(took)
	if a.version != "" {
		w.ByVersion[a.version]++
	}
}

func (w *window) errors() int64 {
	var sum int64
	for n := range maps.Values(w.Errors) {
		sum += n
	}
	return sum
}

func (w *window) close(now time.Time) figures {
	f := w.figures
	f.P50, f.P99 = w.latency.quantile(0.50), w.latency.quantile(0.99)
	if took := now.Sub(w.start).Seconds(); took > 0 {
		f.RPS = float64(int64(float64(f.OK)/took*10)) / 10
	}
	return f
}

// histogram counts microseconds in buckets at most 1/32 wide: exact to 3 %, of constant size.
type histogram struct {
	n       int64
	buckets [32 * 40]int64
}

func (h *histogram) add(d time.Duration) {
	us := uint64(max(0, d.Microseconds()))
	h.n++
	h.buckets[min(bucket(us), len(h.buckets)-1)]++
}

// bucket returns us itself below 64; above, the top six bits and the magnitude number the bucket.
func bucket(us uint64) int {
	if us < 64 {
		return int(us)
	}
	shift := bits.Len64(us) - 6
	return shift*32 + int(us>>shift)
}

// floor is the smallest value of a bucket.
func floor(bucket int) int64 {
	if bucket < 64 {
		return int64(bucket)
	}
	shift := bucket/32 - 1
	return int64(bucket-shift*32) << shift
}

// quantile returns microseconds, 0 without values.
func (h *histogram) quantile(q float64) int64 {
	rank := int64(q * float64(h.n))
	for i, n := range h.buckets {
		if rank -= n; rank < 0 {
			return floor(i)
		}
	}
	return 0
}
