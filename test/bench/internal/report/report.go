// Package report turns samples into Markdown: medians over the rounds, and
// ratios that are taken within each round first.
package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/run"
)

// Median is the middle value, or the mean of the two middle ones; NaN of none.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// measure is one number of a sample.
type measure func(run.Sample) float64

// each is a measure of one proxy over the rounds in which it succeeded.
func each(r run.Result, name string, m measure) (v []float64) {
	for _, round := range r.Rounds {
		if s, ok := round[name]; ok && s.Err == nil {
			v = append(v, m(s))
		}
	}
	return v
}

// ratios are a proxy's measure over a reference's, per round in which both did
// all that was asked: one drowning in the open loop's rate compares with nothing.
func ratios(r run.Result, name, ref string, m measure) (v []float64) {
	for _, round := range r.Rounds {
		a, okA := round[name]
		b, okB := round[ref]
		if okA && okB && keptUp(r.Case, a) && keptUp(r.Case, b) {
			v = append(v, m(a)/m(b))
		}
	}
	return v
}

// Markdown writes the targets that can be told, then one table per case. Ratio
// columns are those of the references among proxies.
func Markdown(results []run.Result, proxies []proxy.Proxy) string {
	var b strings.Builder
	if t := targetsTable(results); t != nil {
		fmt.Fprintf(&b, "### Targets\n\nThose of DESIGN.md section 8, against the median of the rounds; a ratio is taken within each round.\n\n")
		t.write(&b)
	}
	for _, r := range results {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", r.Case.Name, describe(r.Case))
		t := loadTable(r, proxies)
		switch {
		case r.Case.Idle:
			t = idleTable(r)
		case r.Case.Heap:
			t = heapTable(r)
		}
		t.write(&b)
		for _, f := range append(behind(r), failures(r)...) {
			fmt.Fprintf(&b, "\n%s\n", f)
		}
	}
	return strings.TrimLeft(b.String(), "\n")
}

func describe(c run.Case) string {
	switch {
	case c.Idle:
		return "Memory of the proxy's process with idle connections."
	case c.Heap:
		return fmt.Sprintf("Heap objects that the process allocated, without those of asking for them; %d × %d closed loop, payload %d bytes. They are right to some thousands: see the README.", c.Conns, c.Depth, c.Size)
	case c.Rate > 0:
		return fmt.Sprintf("Open loop, %d requests/s over %d connections, payload %d bytes; latency from the time at which a request was due.", c.Rate, c.Conns, c.Size)
	}
	return fmt.Sprintf("Closed loop, connections × requests in flight %d × %d, payload %d bytes.", c.Conns, c.Depth, c.Size)
}

type table struct {
	head []string
	rows [][]string
}

func (t *table) write(b *strings.Builder) {
	line := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, r := range t.rows {
		line(r)
	}
}

func loadTable(r run.Result, proxies []proxy.Proxy) *table {
	var refs []string
	for _, p := range proxies {
		if p.Reference && slices.Contains(r.Names, p.Name) {
			refs = append(refs, p.Name)
		}
	}
	t := &table{head: []string{"proxy", "CPU µs/reply", "min–max"}}
	for _, ref := range refs {
		t.head = append(t.head, "CPU × "+ref)
	}
	t.head = append(t.head, "replies/s", "p50 µs", "p99 µs", "p99.9 µs")
	if r.Case.Rate > 0 {
		for _, ref := range refs {
			t.head = append(t.head, "p99 × "+ref)
		}
	}
	t.head = append(t.head, "RSS MB", "proxy core", "load core", "waited")
	for _, name := range r.Names {
		t.rows = append(t.rows, loadRow(r, name, refs))
	}
	return t
}

func loadRow(r run.Result, name string, refs []string) []string {
	proxied := name != proxy.Direct
	m := func(f measure) float64 { return Median(each(r, name, f)) }
	row := []string{name, "–", "–"}
	if v := each(r, name, cpu); proxied && len(v) > 0 {
		row = []string{name, number(Median(v), 2), number(slices.Min(v), 2) + "–" + number(slices.Max(v), 2)}
	}
	ratio := func(f measure) {
		for _, ref := range refs {
			row = append(row, number(Median(ratios(r, name, ref, f)), 2))
		}
	}
	ratio(cpu)
	if !proxied {
		for i := range refs {
			row[3+i] = "–"
		}
	}
	row = append(row, number(m(rate), 0), number(m(p50), 0), number(m(p99), 0), number(m(p999), 0))
	if r.Case.Rate > 0 {
		ratio(p99)
	}
	if !proxied {
		return append(row, "–", "–", percent(m(loadCore)), "–")
	}
	return append(row, number(m(rss), 1), percent(m(proxyCore)), percent(m(loadCore)), percent(m(waited)))
}

func idleTable(r run.Result) *table {
	t := &table{head: []string{"proxy", "fresh MB", "idle connections", "bytes per idle connection", "the same after one request on each"}}
	for _, name := range r.Names {
		m := func(f measure) float64 { return Median(each(r, name, f)) }
		t.rows = append(t.rows, []string{name,
			number(m(fresh), 1),
			number(m(func(s run.Sample) float64 { return float64(s.Idle.Conns) }), 0),
			number(m(idle), 0),
			number(m(func(s run.Sample) float64 { return perConn(s, s.Idle.Used) }), 0),
		})
	}
	return t
}

func heapTable(r run.Result) *table {
	t := &table{head: []string{"proxy", "heap objects", "replies", "heap objects per reply", "min–max"}}
	for _, name := range r.Names {
		row := []string{name, "–", "–", "–", "–"}
		if v := each(r, name, objects); len(v) > 0 {
			row = []string{name,
				number(Median(each(r, name, func(s run.Sample) float64 { return float64(s.Load.Objects) })), 0),
				number(Median(each(r, name, func(s run.Sample) float64 { return float64(s.Load.Verified) })), 0),
				number(Median(v), 4), number(slices.Min(v), 4) + "–" + number(slices.Max(v), 4)}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func perConn(s run.Sample, rss int64) float64 {
	return float64(rss-s.Idle.Fresh) / float64(s.Idle.Conns)
}

func cpu(s run.Sample) float64  { return s.CPU() }
func rate(s run.Sample) float64 { return s.Rate() }
func p50(s run.Sample) float64  { return micros(s.Load.P50) }
func p99(s run.Sample) float64  { return micros(s.Load.P99) }
func p999(s run.Sample) float64 { return micros(s.Load.P999) }
func rss(s run.Sample) float64  { return float64(s.RSS) / (1 << 20) }

func fresh(s run.Sample) float64 { return float64(s.Idle.Fresh) / (1 << 20) }
func idle(s run.Sample) float64  { return perConn(s, s.Idle.Open) }

func objects(s run.Sample) float64 { return float64(s.Load.Objects) / float64(s.Load.Verified) }

func proxyCore(s run.Sample) float64 { return share(s.Load.ProxyCPU, s) }
func loadCore(s run.Sample) float64  { return share(s.Load.LoadCPU+s.Load.EchoCPU, s) }
func waited(s run.Sample) float64    { return share(s.Load.Waited, s) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func share(d time.Duration, s run.Sample) float64 {
	return d.Seconds() / s.Load.Elapsed.Seconds()
}

func number(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", v*100)
}

// failures are the errors of a case: a proxy that lost or garbled a reply must
// not pass for one that was merely not measured.
func failures(r run.Result) (lines []string) {
	for i, round := range r.Rounds {
		for _, name := range r.Names {
			if s := round[name]; s.Err != nil {
				lines = append(lines, fmt.Sprintf("FAILED in round %d: %v", i+1, s.Err))
			}
		}
	}
	return lines
}

func keptUp(c run.Case, s run.Sample) bool {
	return s.Err == nil && (c.Rate == 0 || s.Rate() >= 0.98*float64(c.Rate))
}

// behind names the proxies that the open loop's rate was too much for: their
// latency is that of a queue that grows.
func behind(r run.Result) (lines []string) {
	for _, name := range r.Names {
		n := 0
		for _, round := range r.Rounds {
			if s := round[name]; s.Err == nil && !keptUp(r.Case, s) {
				n++
			}
		}
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%s did not keep up with the rate in %d of %d rounds: its latency there is that of a growing queue, and no ratio is taken.", name, n, len(r.Rounds)))
		}
	}
	return lines
}

// Failed tells whether any measurement failed.
func Failed(results []run.Result) bool {
	return slices.ContainsFunc(results, func(r run.Result) bool { return len(failures(r)) > 0 })
}
