package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

func testSource() Source {
	series := engine.Series{SeriesKey: engine.SeriesKey{Listener: "l", Route: "r", Cluster: "outbound|9090|v1|hello.demo"},
		Protocol: "thrift", Destination: engine.Destination{Host: "hello.demo", Name: "hello", Namespace: "demo"}}
	for range 10 {
		series.Requests[engine.ServedOK]++
		series.Duration.Add(2000)
	}
	series.Requests[engine.ServedError] = 1
	snap := engine.Snapshot{Series: []engine.Series{series}, Clients: map[string]int{"l": 3}, Upstreams: map[string]int{"c": 1}}
	level := new(slog.LevelVar)
	return Source{
		Node:     Node{Namespace: "demo", Workload: "client", Labels: map[string]string{"app": "client"}},
		Ready:    func() error { return nil },
		Config:   func() any { return map[string]string{"version": "abc"} },
		Clusters: func() any { return nil },
		Explain: func(l string, p map[string]string) (any, error) {
			if l != "l" {
				return nil, errors.New("no listener " + l)
			}
			return p, nil
		},
		Snapshots: func(context.Context) ([]engine.Snapshot, error) { return []engine.Snapshot{snap, snap}, nil },
		Drain:     func() {},
		Level:     level,
	}
}

func get(t *testing.T, h http.Handler, method, target string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:15000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(body)
}

func TestMetricsAreIstios(t *testing.T) {
	_, body := get(t, Handler(testSource()), "GET", "/metrics")
	for _, want := range []string{
		`istio_requests_total{connection_security_policy="none",destination_service="hello.demo",destination_service_name="hello",destination_service_namespace="demo",destination_version="v1",reporter="source",request_protocol="thrift",response_code="200",response_flags="-",source_app="client",source_version="unknown",source_workload="client",source_workload_namespace="demo"} 20`,
		`response_code="500"`,
		`istio_request_duration_milliseconds_count{`,
		`le="1"} 0`, `le="5"} 20`,
		`aeraki_client_connections{listener="l"} 6`,
		`go_memstats_mallocs_total`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

func TestReadinessSaysWhyNot(t *testing.T) {
	s := testSource()
	if code, _ := get(t, Handler(s), "GET", "/ready"); code != 200 {
		t.Error(code)
	}
	s.Ready = func() error { return errors.New("no configuration yet") }
	if code, body := get(t, Handler(s), "GET", "/ready"); code != 503 || !strings.Contains(body, "no configuration yet") {
		t.Error(code, body)
	}
}

func TestLogLevel(t *testing.T) {
	s := testSource()
	if code, _ := get(t, Handler(s), "POST", "/log?level=debug"); code != 200 || s.Level.Level() != slog.LevelDebug {
		t.Error(code, s.Level)
	}
	if code, body := get(t, Handler(s), "POST", "/log?level=loud"); code != 400 || !strings.Contains(body, "loud") {
		t.Error(code, body)
	}
	if code, _ := get(t, Handler(s), "GET", "/drain"); code != http.StatusMethodNotAllowed {
		t.Error("a GET drains:", code)
	}
}

func TestExplainPassesTheProperties(t *testing.T) {
	h := Handler(testSource())
	if code, body := get(t, h, "GET", "/explain?listener=l&method=sayHello&header[user]=x"); code != 200 || !strings.Contains(body, `"header[user]": "x"`) || strings.Contains(body, "listener") {
		t.Error(code, body)
	}
	if code, body := get(t, h, "GET", "/explain?listener=x"); code != 400 || !strings.Contains(body, "no listener x") {
		t.Error(code, body)
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	r := httptest.NewRequest("GET", "/ready", nil)
	r.Host = "evil.example:15000"
	w := httptest.NewRecorder()
	Handler(testSource()).ServeHTTP(w, r)
	if w.Code != http.StatusMisdirectedRequest {
		t.Error(w.Code)
	}
}

func TestOnlyLoopback(t *testing.T) {
	if _, err := Start(netip.MustParseAddrPort("0.0.0.0:0"), testSource(), slog.Default()); err == nil {
		t.Error("the admin endpoint listens on all addresses")
	}
	s, err := Start(netip.MustParseAddrPort("127.0.0.1:0"), testSource(), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	resp, err := http.Get("http://" + s.Addr().String() + "/connections")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// A page of any site may have the browser send a POST to localhost.
func TestForeignPagesCannotDrain(t *testing.T) {
	s := testSource()
	drained := false
	s.Drain = func() { drained = true }
	h := Handler(s)
	for _, header := range [][2]string{{"Origin", "https://example.org"}, {"Sec-Fetch-Site", "cross-site"}} {
		r := httptest.NewRequest("POST", "/drain", nil)
		r.Host = "localhost:15000"
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden || drained {
			t.Errorf("%v: %d, drained %v", header, w.Code, drained)
		}
	}
	if code, _ := get(t, h, "POST", "/drain"); code != http.StatusOK || !drained {
		t.Errorf("curl cannot: %d", code)
	}
}
