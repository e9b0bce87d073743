package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

// split writes a router that splits everything of a service.
func split(file, service string, v1, v2 int) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		svc := s.service(service)
		return s.Write(file, routerYAML(svc, "  - name: split\n    route:\n"+svc.destination("v1", v1)+svc.destination("v2", v2)))
	}
}

// byAttribute writes a router that sends what matches to v1 and the rest to v2.
func byAttribute(file, service, attribute, value string) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		svc := s.service(service)
		return s.Write(file, routerYAML(svc, fmt.Sprintf("  - name: chosen\n    match: {attributes: {%q: {exact: %s}}}\n    route:\n", attribute, value)+
			svc.destination("v1", 100)+"  - name: rest\n    route:\n"+svc.destination("v2", 100)))
	}
}

func routerYAML(svc *service, routes string) string {
	name := strings.TrimSuffix(svc.host, ".demo.svc.cluster.local")
	return "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {name: " + name + ", namespace: demo}\nspec:\n  hosts: [" +
		svc.host + "]\n  routes:\n" + routes
}

func nothing(context.Context, *stage) error { return nil }

// on is a check of n requests of a service's first client, with changes.
func on(service string, n int, v1, v2 float64, says map[string]string, args ...string) check {
	return check{service: service, n: n, args: args, says: says, want: map[string]float64{"v1": v1, "v2": v2}}
}

// balanced widens a check: without a split, the endpoint with fewer requests in
// flight is chosen, so the faster server gets more.
func balanced(c check) check {
	c.within = 20
	return c
}

func thriftCheck(n int, v1, v2 float64, method string) check {
	return on("thrift", n, v1, v2, map[string]string{"method": method}, "-transport", "framed", "-protocol", "binary", "-method", method, "-millis", "1")
}

func dubboCheck(n int, v1, v2 float64, user string) check {
	return on("dubbo", n, v1, v2, map[string]string{"method": "sayHello", "user": user}, "-method", "sayHello", "-attachment", "user="+user)
}

func reviewsCheck(n int, v1, v2 float64, user string) check {
	return on("reviews", n, v1, v2, map[string]string{"user": user, "service": "reviews", "method": "get"}, "-service", "reviews", "-user", user)
}

// steps is what -once does, in order.
func steps(*stage) []step {
	thrift, dubbo, reviews := "11-thrift-routes.yaml", "21-dubbo-routes.yaml", "31-reviews-routes.yaml"
	return []step{
		{name: "as it starts", edit: nothing, checks: []check{thriftCheck(10000, 20, 80, "sayHello"), dubboCheck(5000, 20, 80, "jason"),
			reviewsCheck(5000, 0, 100, "jason"), reviewsCheck(5000, 100, 0, "martha")}},
		{name: "Thrift 20/80 → 80/20", edit: split(thrift, "thrift", 80, 20), checks: []check{thriftCheck(15000, 80, 20, "sayHello")}},
		{name: "Dubbo 20/80 → 80/20", edit: split(dubbo, "dubbo", 80, 20), checks: []check{dubboCheck(5000, 80, 20, "jason")}},
		{name: "Thrift by method", edit: byAttribute(thrift, "thrift", "method", "slow"),
			checks: []check{thriftCheck(5000, 100, 0, "slow"), thriftCheck(5000, 0, 100, "sayHello")}},
		{name: "Dubbo by attachment", edit: byAttribute(dubbo, "dubbo", "attachment[user]", "jason"),
			checks: []check{dubboCheck(5000, 100, 0, "jason"), dubboCheck(5000, 0, 100, "martha")}},
		{name: "Bookinfo by user", edit: byAttribute(reviews, "reviews", "user", "martha"),
			checks: []check{reviewsCheck(5000, 100, 0, "martha"), reviewsCheck(5000, 0, 100, "jason")}},
		{name: "Thrift 50/50", edit: split(thrift, "thrift", 50, 50), checks: []check{thriftCheck(10000, 50, 50, "sayHello")}},
		{name: "a bad file beside a good edit", edit: badFile(thrift, dubbo),
			checks: []check{thriftCheck(10000, 50, 50, "sayHello"), dubboCheck(4000, 30, 70, "jason")}},
		{name: "that bad file across a restart", edit: restart, untimed: true,
			checks: []check{thriftCheck(10000, 50, 50, "sayHello"), dubboCheck(4000, 30, 70, "jason")}},
		{name: "the file mended", edit: split(thrift, "thrift", 10, 90), checks: []check{thriftCheck(10000, 10, 90, "sayHello")}},
		{name: "the routers removed", edit: removeRouters(thrift, dubbo),
			checks: []check{balanced(thriftCheck(10000, 50, 50, "sayHello")), balanced(dubboCheck(4000, 50, 50, "jason"))}},
	}
}

// badFile writes a router with a mistake, and a good one of another service,
// and waits for the mistake to be named.
func badFile(bad, good string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		svc := s.service("thrift")
		yaml := routerYAML(svc, "  - name: split\n    match: {attributes: {metod: {exact: sayHello}}}\n    route:\n"+svc.destination("v1", 100))
		if err := s.Write(bad, yaml); err != nil {
			return err
		}
		if err := split(good, "dubbo", 30, 70)(ctx, s); err != nil {
			return err
		}
		return s.awaitDiagnostic(ctx, bad, "metod", "spec.routes[0].match")
	}
}

// awaitDiagnostic waits for a diagnostic that has all of these texts and a
// line number.
func (s *stage) awaitDiagnostic(ctx context.Context, texts ...string) error {
	ctx, cancel := context.WithTimeout(ctx, inForceWithin)
	defer cancel()
	return harness.Until(ctx, func() error {
		lines, err := s.diagnostics(ctx)
		if err != nil {
			return err
		}
	next:
		for _, l := range lines {
			for _, t := range texts {
				if !strings.Contains(l, t) {
					continue next
				}
			}
			s.say("    told: %s", l)
			return nil
		}
		return fmt.Errorf("no diagnostic has %q: %q", texts, lines)
	})
}

// restart kills the control plane and starts it again, with the bad file still
// there.
func restart(ctx context.Context, s *stage) error {
	if err := s.controller.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.controller.Done()
	// The proxies go on without it; requests of the steady clients are counted.
	select {
	case <-time.After(time.Second / 2):
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := s.Controller(ctx, s.binaries["cmd/aeraki"], s.controller.ADS, s.controller.Status)
	if err != nil {
		return err
	}
	s.controller = c
	return s.awaitDiagnostic(ctx, "metod")
}

func removeRouters(files ...string) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		for _, f := range files {
			if err := s.Remove(f); err != nil {
				return err
			}
		}
		return nil
	}
}
