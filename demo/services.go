package main

import "strings"

// service is one that the demo runs in two versions, with a proxy beside each
// server and one beside its clients.
type service struct {
	name     string // listener, workload and file names
	title    string // in the table
	host     string
	port     int
	peer     string // folder of its server and client
	proxy    string // folder or tutorial that its proxy is built from
	versions []string
	server   []string // flags of its servers
	backend  []string // flags of a server that those of v2 call, if there is one
	calls    string   // flag of v2's server that takes the backend's address
	traffic  []traffic
}

// traffic is a steady client of a service.
type traffic struct {
	title      string
	args       []string          // flags of the client
	properties map[string]string // what its requests say, for the route table
}

// Where proxies come from: the stock one, or the one that the AwesomeRPC
// tutorial builds.
const (
	stockProxy    = "cmd/aeraki-proxy"
	bookinfoProxy = "docs/protocols/awesomerpc.md"
)

func services() []*service {
	v := []string{"v1", "v2"}
	return []*service{
		{name: "thrift", title: "Thrift", host: "hello-thrift.demo.svc.cluster.local", port: 9090,
			peer: "test/peers/thrift", proxy: stockProxy, versions: v,
			server: []string{"-transport", "framed", "-protocol", "binary"},
			traffic: []traffic{{title: "sayHello", args: []string{"-transport", "framed", "-protocol", "binary", "-method", "sayHello"},
				properties: map[string]string{"method": "sayHello"}}}},
		{name: "dubbo", title: "Dubbo", host: "hello-dubbo.demo.svc.cluster.local", port: 20880,
			peer: "test/peers/dubbo", proxy: stockProxy, versions: v,
			traffic: []traffic{{title: "sayHello", args: []string{"-method", "sayHello", "-attachment", "user=jason"},
				properties: map[string]string{"method": "sayHello", "interface": "org.aeraki.samples.HelloService", "user": "jason"}}}},
		{name: "reviews", title: "Bookinfo", host: "reviews.demo.svc.cluster.local", port: 9080,
			peer: "test/peers/bookinfo", proxy: bookinfoProxy, versions: v,
			server: []string{"-service", "reviews"}, backend: []string{"-service", "ratings"}, calls: "-ratings",
			traffic: []traffic{
				{title: "as jason", args: []string{"-service", "reviews", "-user", "jason"}, properties: map[string]string{"service": "reviews", "method": "get", "user": "jason"}},
				{title: "as anybody", args: []string{"-service", "reviews", "-user", "martha"}, properties: map[string]string{"service": "reviews", "method": "get", "user": "martha"}},
			}},
	}
}

// destination returns one weighted destination of a route, as YAML.
func (s *service) destination(subset string, weight int) string {
	return strings.NewReplacer("HOST", s.host, "SUBSET", subset, "WEIGHT", itoa(weight)).
		Replace("    - {destination: {host: HOST, subset: SUBSET}, weight: WEIGHT}\n")
}
