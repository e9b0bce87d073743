package admin

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aeraki-mesh/aeraki/internal/engine"
)

// collector turns the workers' counters into Istio's standard metrics, so that
// stock dashboards read them, and a few of our own. Cardinality is bounded by
// the workers (routes × clusters × outcomes), never by what requests say.
type collector struct {
	s                                          Source
	requests, duration, requestSize, replySize *prometheus.Desc
	routes, events, clients, upstreams         *prometheus.Desc
	active, buffered, accepted                 *prometheus.Desc
}

// istioLabels are the labels of Istio's standard metrics that the proxy knows.
var istioLabels = []string{"reporter", "source_workload", "source_workload_namespace", "source_app", "source_version",
	"destination_service", "destination_service_name", "destination_service_namespace", "destination_version",
	"request_protocol", "connection_security_policy"}

// buckets are those that Envoy, and so Istio, has by default; ms or bytes.
var buckets = []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000}

func newCollector(s Source) *collector {
	outcome := append(append([]string{}, istioLabels...), "response_code", "response_flags")
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		s:           s,
		requests:    desc("istio_requests_total", "Requests, by how they ended.", outcome...),
		duration:    desc("istio_request_duration_milliseconds", "Time from a request's arrival to its reply.", istioLabels...),
		requestSize: desc("istio_request_bytes", "Size of requests.", istioLabels...),
		replySize:   desc("istio_response_bytes", "Size of upstreams' replies.", istioLabels...),
		routes:      desc("aeraki_route_requests_total", "Requests by route and cluster.", "listener", "route", "cluster", "response_code", "response_flags"),
		events:      desc("aeraki_events_total", "What happened besides requests.", "event"),
		clients:     desc("aeraki_client_connections", "Open client connections.", "listener"),
		upstreams:   desc("aeraki_upstream_connections", "Open upstream connections.", "cluster"),
		active:      desc("aeraki_requests_in_flight", "Requests that wait for a reply."),
		buffered:    desc("aeraki_buffered_bytes", "Bytes that wait to be written."),
		accepted:    desc("aeraki_client_connections_total", "Client connections accepted."),
	}
}

// Describe implements prometheus.Collector: what there is depends on the
// configuration, so the collector is unchecked.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	all, err := c.s.Snapshots(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.requests, err)
		return
	}
	c.collectSeries(out, mergeSeries(all))
	c.collectTotals(out, all)
}

// mergeSeries adds up what the workers counted under the same key, in order.
func mergeSeries(all []engine.Snapshot) []*engine.Series {
	var merged []*engine.Series
	at := map[engine.SeriesKey]*engine.Series{}
	for i := range all {
		for j := range all[i].Series {
			s := &all[i].Series[j]
			m := at[s.SeriesKey]
			if m == nil {
				at[s.SeriesKey] = s
				merged = append(merged, s)
				continue
			}
			for r := range s.Requests {
				m.Requests[r] += s.Requests[r]
			}
			m.Duration.Merge(&s.Duration)
			m.Request.Merge(&s.Request)
			m.Response.Merge(&s.Response)
		}
	}
	return merged
}

// family is what shares one set of Istio labels: routes to the same version.
type family struct {
	labels                      []string
	codes                       map[[2]string]uint64
	duration, request, response engine.Histogram
}

func (c *collector) collectSeries(out chan<- prometheus.Metric, series []*engine.Series) {
	families := map[string]*family{}
	for _, s := range series {
		labels := c.labels(s)
		key := strings.Join(labels, "\x00")
		f := families[key]
		if f == nil {
			f = &family{labels: labels, codes: map[[2]string]uint64{}}
			families[key] = f
		}
		codes := map[[2]string]uint64{}
		for r, n := range s.Requests {
			if n > 0 {
				k := [2]string{engine.Result(r).Code(), engine.Result(r).Flags()}
				f.codes[k] += n
				codes[k] += n
			}
		}
		for k, n := range codes {
			out <- prometheus.MustNewConstMetric(c.routes, prometheus.CounterValue, float64(n), s.Listener, s.Route, s.Cluster, k[0], k[1])
		}
		f.duration.Merge(&s.Duration)
		f.request.Merge(&s.Request)
		f.response.Merge(&s.Response)
	}
	for _, key := range sortedKeys(families) {
		f := families[key]
		for k, n := range f.codes {
			labels := append(append([]string{}, f.labels...), k[0], k[1])
			out <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), labels...)
		}
		histogram(out, c.duration, &f.duration, 1000, f.labels)
		histogram(out, c.requestSize, &f.request, 1, f.labels)
		histogram(out, c.replySize, &f.response, 1, f.labels)
	}
}

// labels returns the values of istioLabels.
func (c *collector) labels(s *engine.Series) []string {
	reporter := "source"
	if s.Inbound {
		reporter = "destination"
	}
	n := c.s.Node
	app, version := known(n.Labels["app"]), known(n.Labels["version"])
	workload, namespace := known(n.Workload), known(n.Namespace)
	if s.Inbound { // without metadata exchange nobody says who called
		workload, namespace, app, version = "unknown", "unknown", "unknown", "unknown"
	}
	return []string{reporter, workload, namespace, app, version,
		known(s.Destination.Host), known(s.Destination.Name), known(s.Destination.Namespace), known(subset(s.Cluster)),
		s.Protocol, "none"}
}

// subset returns the subset's name in a cluster name as Istio builds them:
// direction|port|subset|host.
func subset(cluster string) string {
	if parts := strings.Split(cluster, "|"); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// histogram shows h in Istio's buckets; h counts in units of 1/scale.
func histogram(out chan<- prometheus.Metric, d *prometheus.Desc, h *engine.Histogram, scale float64, labels []string) {
	n := h.Count()
	if n == 0 {
		return
	}
	shown := make(map[float64]uint64, len(buckets))
	i, sum := 0, uint64(0)
	for _, le := range buckets {
		for i < len(h.Buckets) && float64(engine.HistogramBound(i)) <= le*scale {
			sum += h.Buckets[i]
			i++
		}
		shown[le] = sum
	}
	out <- prometheus.MustNewConstHistogram(d, n, float64(h.Sum)/scale, shown, labels...)
}

func (c *collector) collectTotals(out chan<- prometheus.Metric, all []engine.Snapshot) {
	var events [engine.Events]uint64
	clients, upstreams := map[string]int{}, map[string]int{}
	active, buffered, accepted := 0, 0, uint64(0)
	for _, s := range all {
		for e, n := range s.Events {
			events[e] += n
		}
		for name, n := range s.Clients {
			clients[name] += n
		}
		for name, n := range s.Upstreams {
			upstreams[name] += n
		}
		active, buffered, accepted = active+s.Requests, buffered+s.Buffered, accepted+s.Accepted
	}
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	for e, n := range events {
		out <- prometheus.MustNewConstMetric(c.events, prometheus.CounterValue, float64(n), engine.Event(e).String())
	}
	for _, name := range sortedKeys(clients) {
		gauge(c.clients, clients[name], name)
	}
	for _, name := range sortedKeys(upstreams) {
		gauge(c.upstreams, upstreams[name], name)
	}
	gauge(c.active, active)
	gauge(c.buffered, buffered)
	out <- prometheus.MustNewConstMetric(c.accepted, prometheus.CounterValue, float64(accepted))
}
