package report

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/load"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/run"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := Median(tt.in); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.in, got, tt.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("nothing has a median")
	}
}

func sample(micros, p99 time.Duration) run.Sample {
	return run.Sample{RSS: 10 << 20, Load: load.Result{Verified: 1000, Elapsed: time.Second, ProxyCPU: 1000 * micros * time.Microsecond,
		P50: time.Microsecond, P99: p99 * time.Microsecond, P999: time.Millisecond}}
}

// In rounds of 10/20, 30/30 and 8/32 µs the medians are 10 and 30 (0.33 ×),
// but the ratios 0.5, 1 and 0.25: their median is 0.5.
func TestRatiosAreTakenWithinARoundAndFailuresShow(t *testing.T) {
	proxies := []proxy.Proxy{{Name: "direct"}, {Name: "a"}, {Name: "ref", Reference: true}, {Name: "unused", Reference: true}}
	r := run.Result{
		Case:  run.Case{Name: "thrift-open", Rate: 1005, Conns: 64, Size: 128},
		Names: []string{"direct", "a", "ref"},
		Rounds: []map[string]run.Sample{
			{"direct": sample(0, 50), "a": sample(10, 100), "ref": sample(20, 200)},
			{"direct": sample(0, 50), "a": sample(30, 100), "ref": sample(30, 100)},
			{"direct": sample(0, 50), "a": sample(8, 900), "ref": sample(32, 300)},
			{"direct": sample(0, 50), "a": {Err: errors.New("a reply was lost")}, "ref": sample(1, 1)},
		},
	}
	got := Markdown([]run.Result{r}, proxies)
	for _, want := range []string{
		"| proxy | CPU µs/reply | min–max | CPU × ref | replies/s | p50 µs | p99 µs | p99.9 µs | p99 × ref | RSS MB | proxy core | load core | waited |",
		"| direct | – | – | – | 1000 |",
		"| a | 10.00 | 8.00–30.00 | 0.50 | 1000 | 1 | 100 | 1000 | 1.00 | 10.0 | 1 % |",
		"FAILED in round 4: a reply was lost",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "keep up") {
		t.Error("a proxy within 2 % of the rate was called behind")
	}
	r.Case.Rate = 1100
	got = Markdown([]run.Result{r}, proxies)
	if !strings.Contains(got, "a did not keep up with the rate in 3 of 4 rounds") || !strings.Contains(got, "| a | 10.00 | 8.00–30.00 | – | 1000 |") {
		t.Errorf("a proxy behind the rate was not called so, or compared:\n%s", got)
	}
	if !Failed([]run.Result{r}) || Failed([]run.Result{{Rounds: r.Rounds[:3], Names: r.Names}}) {
		t.Error("Failed does not tell")
	}
}

func TestIdleTable(t *testing.T) {
	m := run.Memory{Conns: 1000, Fresh: 10 << 20, Open: 10<<20 + 500_000, Used: 10<<20 + 2_000_000}
	r := run.Result{Case: run.Case{Name: "dubbo-idle", Idle: true}, Names: []string{"a"}, Rounds: []map[string]run.Sample{{"a": {Idle: m}}}}
	got := Markdown([]run.Result{r}, nil)
	if !strings.Contains(got, "| a | 10.0 | 1000 | 500 | 2000 |") || strings.Contains(got, "keep up") {
		t.Error(got)
	}
}

// Two of three rounds are within 0.30 × and none within 0.80 ×: the first is
// met by its median, and says that a round was not.
func TestTargetsAreJudgedByTheMedianAndShowDisagreement(t *testing.T) {
	round := func(a, envoy, haproxy time.Duration) map[string]run.Sample {
		return map[string]run.Sample{"aeraki-shared": sample(a, 1), "envoy-thrift": sample(envoy, 1), "haproxy": sample(haproxy, 1)}
	}
	r := run.Result{Case: run.Case{Name: "thrift-64x1"}, Names: []string{"aeraki-shared", "haproxy", "envoy-thrift"},
		Rounds: []map[string]run.Sample{round(28, 100, 30), round(29, 100, 30), round(40, 100, 40)}}
	heap := run.Result{Case: run.Case{Name: "dubbo-16x16-heap", Heap: true}, Names: []string{"aeraki"},
		Rounds: []map[string]run.Sample{{"aeraki": {Load: load.Result{Verified: 1_000_000, Objects: 20_000}}}}}
	lost := run.Result{Case: run.Case{Name: "dubbo-64x1"}, Names: []string{"aeraki", "envoy-dubbo"},
		Rounds: []map[string]run.Sample{{"aeraki": {Err: errors.New("a reply was lost")}, "envoy-dubbo": sample(1, 1)}}}
	got := Markdown([]run.Result{r, heap, lost}, nil)
	for _, want := range []string{
		"| thrift-64x1 | aeraki-shared | CPU ÷ envoy-thrift's | ≤ 0.30 | 0.290 | 0.280–0.400 | met (in 2 of 3 rounds) |",
		"| thrift-64x1 | aeraki-shared | CPU ÷ haproxy's | ≤ 0.80 | 0.967 | 0.933–1.000 | **missed** |",
		"| dubbo-16x16-heap | aeraki | heap objects per request | 0 (below 0.01) | 0.0200 | 0.0200–0.0200 | **missed** |",
		"| dubbo-64x1 | aeraki | CPU ÷ envoy-dubbo's | ≤ 0.45 | – | – | not measured |",
		"| aeraki | 20000 | 1000000 | 0.0200 | 0.0200–0.0200 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "| thrift-64x1 | aeraki |") || strings.Contains(got, "open") {
		t.Errorf("a target of what was not measured:\n%s", got)
	}
}

func TestWriteKeepsWhatStandsAroundTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.md")
	read := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := Write(file, "one\n"); err != nil {
		t.Fatal(err)
	}
	first := read()
	if err := os.WriteFile(file, []byte("# Head\n"+first+"foot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, "two"); err != nil {
		t.Fatal(err)
	}
	if got, want := read(), "# Head\n"+begin+"\n\ntwo\n\n"+end+"\nfoot\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
