package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
)

// object is a JSON object of Envoy's configuration.
type object map[string]any

// startEnvoy runs Envoy with one worker and one network filter. The two
// endpoints are two clusters, between which the filter splits half and half.
// Statistics and their flush interval stay as they are by default; there is no
// access log and no admin listener.
func (i *Installed) startEnvoy(filter func() object, connections int) func(context.Context, Setup) (*Process, error) {
	return func(_ context.Context, s Setup) (*Process, error) {
		config, err := envoyConfig(s, filter(), connections)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(s.Dir, "envoy.json")
		if err := os.WriteFile(file, config, 0o600); err != nil {
			return nil, err
		}
		return StartPinned(s.Core, i.Envoy, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
	}
}

func envoyConfig(s Setup, filter object, connections int) ([]byte, error) {
	listen, err := socketAddress(s.Listen)
	if err != nil {
		return nil, err
	}
	var clusters []object
	for n, u := range s.Upstreams {
		addr, err := socketAddress(u)
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, cluster(clusterName(n), addr, connections))
	}
	return json.MarshalIndent(object{
		"node": object{"id": "bench", "cluster": "bench"},
		"static_resources": object{
			"listeners": []object{{
				"name":          "in",
				"address":       listen,
				"filter_chains": []object{{"filters": []object{filter}}},
			}},
			"clusters": clusters,
		},
	}, "", " ")
}

func clusterName(n int) string { return "v" + strconv.Itoa(n+1) }

func socketAddress(addr string) (object, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("port of %q: %w", addr, err)
	}
	return object{"socket_address": object{"address": host, "port_value": n}}, nil
}

// Limits on upstream connections per cluster. tcp_proxy has one per idle
// client. The native filters open one per request in flight, and in an open
// loop that they cannot keep up with, that has no end: requests queue behind
// Envoy's own default instead.
const (
	connectionPerClient  = limit
	connectionPerRequest = 1024

	limit = 100_000 // out of the way
)

// cluster has outlier detection on, as in a mesh. What waits or is in flight
// has no limit that a case could reach: a local reply would fail it.
func cluster(name string, endpoint object, connections int) object {
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "5s",
		"outlier_detection": object{},
		"circuit_breakers": object{"thresholds": []object{{
			"max_connections": connections, "max_pending_requests": limit, "max_requests": limit, "max_retries": limit,
		}}},
		"load_assignment": object{"cluster_name": name, "endpoints": []object{{
			"lb_endpoints": []object{{"endpoint": object{"address": endpoint}}},
		}}},
	}
}

// weighted is the split; all three filters have the same form.
func weighted() object {
	return object{"clusters": []object{
		{"name": clusterName(0), "weight": 50},
		{"name": clusterName(1), "weight": 50},
	}}
}

func networkFilter(name, message string, config object) object {
	config["@type"] = "type.googleapis.com/envoy.extensions.filters.network." + name + ".v3." + message
	return object{"name": "envoy.filters.network." + name, "typed_config": config}
}

func tcpProxy() object {
	return networkFilter("tcp_proxy", "TcpProxy", object{"stat_prefix": "tcp", "weighted_clusters": weighted()})
}

func thriftProxy() object {
	return networkFilter("thrift_proxy", "ThriftProxy", object{
		"stat_prefix": "thrift", "transport": "FRAMED", "protocol": "BINARY",
		"route_config": object{"name": "bench", "routes": []object{{
			"match": object{"method_name": frame.Method},
			"route": object{"weighted_clusters": weighted()},
		}}},
	})
}

func dubboProxy() object {
	return networkFilter("dubbo_proxy", "DubboProxy", object{
		"stat_prefix": "dubbo", "protocol_type": "Dubbo", "serialization_type": "Hessian2",
		"multiple_route_config": object{"name": "bench", "route_config": []object{{
			"name": "echo", "interface": frame.Interface,
			"routes": []object{{
				"match": object{"method": object{"name": object{"exact": frame.Method}}},
				"route": object{"weighted_clusters": weighted()},
			}},
		}}},
	})
}
