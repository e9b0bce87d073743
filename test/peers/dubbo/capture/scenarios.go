package main

import (
	"fmt"
	"strings"
	"time"
)

// peer is a library in one version.
type peer string

const (
	golang peer = "go"
	java27 peer = "java2.7"
	java32 peer = "java3.2"
	java33 peer = "java3.3"
)

var (
	javas = []peer{java27, java32, java33}
	peers = append([]peer{golang}, javas...)
)

func (p peer) version() string {
	return map[peer]string{golang: "3.3.2", java27: "2.7.23", java32: "3.2.19", java33: "3.3.6"}[p]
}

func (p peer) String() string {
	if p == golang {
		return "dubbo-go " + p.version()
	}
	return "Apache Dubbo " + p.version()
}

// group is one provider process and what is recorded with it.
type group struct {
	provider peer
	flags    []string
	registry bool // consumers find the provider in a registry's folder
	calls    []call
}

// call is one consumer process and its file, or raw messages where no consumer sends such.
type call struct {
	file     string
	consumer peer
	about    string
	flags    []string
	fails    bool          // errors are what is wanted
	stop     bool          // the provider is stopped while the consumer still lingers
	raw      func() []byte // sent instead of running a consumer
	linger   time.Duration // of raw
}

const (
	// What dubbo-go's client and server can do, in this order on one connection.
	goMethods = "sayHello,greet,pojo,nothing,blob,fail,crash,later,notified"
	// What only Java peers do among themselves comes after.
	javaMethods = goMethods + ",null,$echo"
	// More than one chunk of a hessian2 string (32768 characters).
	longString = "70000"
)

func methods(consumer, provider peer) []string {
	list := javaMethods
	if consumer == golang || provider == golang {
		list = goMethods
	}
	return []string{"-method", list, "-n", fmt.Sprint(strings.Count(list, ",") + 1)}
}

func name(consumer, provider peer, serialization, what string) string {
	return strings.Join([]string{string(consumer), string(provider), serialization, what}, "-") + ".frames"
}

func scenarios() []group {
	var all []group
	for _, p := range peers {
		all = append(all, hessian2(p))
	}
	for _, p := range []peer{java32, java33} {
		all = append(all, fastjson2(p))
	}
	all = append(all, registries()...)
	for _, p := range javas {
		all = append(all, troubles(p)...)
	}
	return all
}

// hessian2 is everything about a provider with a direct reference.
func hessian2(p peer) group {
	g := group{provider: p, flags: []string{"-heartbeat", "1s"}}
	add := func(c peer, what, about string, flags ...string) {
		g.calls = append(g.calls, call{file: name(c, p, "hessian2", what), consumer: c, about: about, flags: flags})
	}
	for _, c := range peers {
		flags := append(methods(c, p), "-attachment", "x-user=jason", "-attachment", "x-long="+strings.Repeat("v", 40))
		add(c, "calls", "values, null, exceptions, attachments", flags...)
	}
	for _, c := range []peer{golang, p} {
		add(c, "generic", "$invoke", "-generic", "-method", "sayHello,greet,slow,pojo,fail", "-n", "5")
		add(c, "oneway", "one-way", "-oneway", "-method", "sayHello,notify", "-n", "2")
		add(c, "long", "a string of several chunks", "-method", "notify", "-payload", longString)
		if p == golang {
			break
		}
	}
	if p == golang {
		add(java33, "heartbeat", "heartbeats of both sides while a call runs", "-method", "slow", "-number", "2500", "-heartbeat", "1s")
		add(golang, "heartbeat", "heartbeats of both sides while a call runs", "-method", "slow", "-number", "2500", "-heartbeat", "1s")
		return g
	}
	add(p, "async", "CompletableFutures", "-async", "-method", "sayHello,later,fail", "-n", "3")
	add(p, "generic-async", "$invokeAsync", "-generic", "-async", "-method", "sayHello,greet,fail", "-n", "3")
	add(p, "callback", "an argument that the provider calls back", "-method", "listen", "-n", "2")
	if last := &g.calls[len(g.calls)-1]; p == java32 {
		last.fails = true
		last.about = "a callback in the provider's preferred serialization (fastjson2), which a direct consumer refuses"
	}
	add(p, "heartbeat", "heartbeats on an idle connection", "-linger", "3500ms", "-heartbeat", "1s")
	g.calls = append(g.calls,
		call{file: name(p, p, "hessian2", "timeout"), consumer: p, about: "the consumer gives up, the reply comes late",
			flags: []string{"-method", "slow", "-number", "800", "-timeout", "300ms", "-linger", "1s"}, fails: true},
		call{file: name(golang, p, "hessian2", "not-found"), consumer: golang, about: "no such group",
			flags: []string{"-group", "nobody"}, fails: true},
		call{file: name(p, p, "hessian2", "not-found"), consumer: p, about: "no such group",
			flags: []string{"-group", "nobody", "-method", "sayHello"}, fails: true},
		call{file: name(p, p, "hessian2", "missing"), consumer: p, about: "no such method, through $invoke",
			flags: []string{"-generic", "-method", "missing"}, fails: true},
		call{file: name(p, p, "hessian2", "odd"), consumer: p, about: "a result that cannot be serialized",
			flags: []string{"-method", "odd", "-timeout", "2s"}, fails: true},
		call{file: name("raw", p, "unknown", "bad"), about: "a hand-made request with serialization id 31", raw: unknownSerialization},
		call{file: name("raw", p, "hessian2", "bad"), about: "a hand-made request whose argument is no hessian2", raw: brokenArgument},
		call{file: name("raw", p, "hessian2", "old"), about: "a hand-made request of Dubbo version 2.0.1: a reply without attachments", raw: oldVersion},
	)
	if p == java27 {
		g.calls = append(g.calls, call{file: name(java33, p, "fastjson2", "bad"), consumer: java33,
			about: "a serialization that the provider does not know", flags: []string{"-serialization", "fastjson2"}, fails: true})
	}
	return g
}

func fastjson2(p peer) group {
	g := group{provider: p, flags: []string{"-serialization", "fastjson2"}}
	add := func(c peer, what, about string, flags ...string) {
		g.calls = append(g.calls, call{file: name(c, p, "fastjson2", what), consumer: c, about: about,
			flags: append(flags, "-serialization", "fastjson2")})
	}
	for _, c := range []peer{java32, java33} {
		add(c, "calls", "values, null, exceptions, attachments", append(methods(c, p), "-attachment", "x-user=jason")...)
	}
	add(p, "generic", "$invoke", "-generic", "-method", "sayHello,greet,slow,pojo,fail", "-n", "5")
	add(p, "generic-async", "$invokeAsync", "-generic", "-async", "-method", "sayHello,greet,fail", "-n", "3")
	add(p, "oneway", "one-way", "-oneway", "-method", "sayHello,notify", "-n", "2")
	add(p, "callback", "an argument that the provider calls back", "-method", "listen", "-n", "2")
	add(p, "long", "a long string", "-method", "notify", "-payload", longString)
	add(p, "heartbeat", "heartbeats on an idle connection", "-linger", "3500ms", "-heartbeat", "1s")
	g.calls = append(g.calls, call{file: name(p, p, "fastjson2", "odd"), consumer: p, about: "a result that cannot be serialized",
		flags: []string{"-method", "odd", "-timeout", "2s", "-serialization", "fastjson2"}, fails: true})
	return g
}

// registries are consumers that learn the serialization from the provider's URL.
func registries() []group {
	var all []group
	for _, p := range javas {
		g := group{provider: p, registry: true}
		for _, c := range javas {
			g.calls = append(g.calls, call{file: name(c, p, "registry", "calls"), consumer: c,
				about: "the serialization that consumer and provider agree on", flags: []string{"-method", "sayHello,pojo,nothing", "-n", "3"}})
		}
		all = append(all, g)
	}
	callback := group{provider: java32, registry: true, calls: []call{{file: name(java27, java32, "registry", "callback"),
		consumer: java27, about: "the provider calls back in its own serialization, which the consumer does not know",
		flags: []string{"-method", "listen", "-timeout", "2s"}, fails: true}}}
	return append(all, callback)
}

// troubles need a provider of their own.
func troubles(p peer) []group {
	return []group{
		{provider: p, flags: []string{"-drain", "1s"}, calls: []call{{file: name(p, p, "hessian2", "readonly"), consumer: p,
			about: "the provider stops: READONLY", flags: []string{"-linger", "4s"}, stop: true}}},
		{provider: p, flags: []string{"-threads", "1"}, calls: []call{{file: name(p, p, "hessian2", "exhausted"), consumer: p,
			about: "more requests at once than the provider's only thread takes",
			flags: []string{"-method", "slow", "-number", "300", "-n", "4", "-concurrency", "4"}, fails: true}}},
		{provider: p, flags: []string{"-payload", "2048"}, calls: []call{{file: name(p, p, "hessian2", "too-long"), consumer: p,
			about: "a request over the provider's payload limit of 2048", flags: []string{"-payload", "3000", "-timeout", "2s"}, fails: true}}},
	}
}
