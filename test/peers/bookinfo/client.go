package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// callable is what -method takes: what is served, and a method that is not.
var callable = append(slices.Clone(served), "missing")

type clientOptions struct {
	target      string
	service     string
	methods     []string // called in turn
	user        string
	name        string
	payload     int // bytes of echo's body
	n           int64
	connections int
	rate        float64 // requests per second of all connections together, 0: as fast as replies come
	timeout     time.Duration
	headers     headers
	stats       time.Duration
	print       bool
}

// headers collects -header k=v.
type headers map[string]string

// String implements flag.Value.
func (h headers) String() string { return fmt.Sprint(map[string]string(h)) }

// Set implements flag.Value.
func (h headers) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" || !plain(s) {
		return fmt.Errorf("want KEY=VALUE that stand in a header: %q", s)
	}
	h[key] = value
	return nil
}

func parseClient(args []string, stderr io.Writer) (*clientOptions, error) {
	o := &clientOptions{headers: headers{}}
	set := flag.NewFlagSet("bookinfo client", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.target, "target", "", "address of the server")
	set.StringVar(&o.service, "service", "reviews", "reviews, ratings or details")
	methods := set.String("method", "get", "one, or several with commas between, called in turn: "+strings.Join(callable, ", "))
	set.StringVar(&o.user, "user", "", "who is logged in: the header user; without one nobody is")
	set.StringVar(&o.name, "name", "book", "what the request says; a token that is unique per request is added")
	set.IntVar(&o.payload, "payload", 0, "bytes that echo sends at least")
	set.Int64Var(&o.n, "n", 1, "requests in all, 0: until a signal")
	set.IntVar(&o.connections, "connections", 1, "connections, each with one request in flight")
	set.Float64Var(&o.rate, "rate", 0, "requests per second of all connections, 0: as fast as replies come")
	set.DurationVar(&o.timeout, "timeout", 5*time.Second, "of connecting and of a reply")
	set.Var(o.headers, "header", "KEY=VALUE of every request, repeatable")
	set.DurationVar(&o.stats, "stats", 0, "print numbers at this interval, 0: at the end only")
	set.BoolVar(&o.print, "print", false, "print every reply")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	o.methods = strings.Split(*methods, ",")
	err := o.validate()
	if set.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", set.Arg(0)))
	}
	return o, err
}

func (o *clientOptions) validate() error {
	var problems []error
	if o.target == "" {
		problems = append(problems, errors.New("-target is needed"))
	}
	if !slices.Contains(services, o.service) {
		problems = append(problems, fmt.Errorf("-service must be one of %v: %q", services, o.service))
	}
	for _, name := range o.methods {
		if !slices.Contains(callable, name) {
			problems = append(problems, fmt.Errorf("-method is not one of %s: %q", strings.Join(callable, ", "), name))
		}
	}
	if o.connections < 1 {
		problems = append(problems, fmt.Errorf("-connections must be at least 1: %d", o.connections))
	}
	if o.n < 0 || o.rate < 0 || o.payload < 0 || o.timeout <= 0 {
		problems = append(problems, errors.New("-n, -rate and -payload must not be negative, -timeout must be positive"))
	}
	if !plain(o.user) || !plain(o.name) {
		problems = append(problems, fmt.Errorf("-user and -name must stand in a header: %q, %q", o.user, o.name))
	}
	return errors.Join(problems...)
}

func runClient(args []string, stdout, stderr io.Writer) int {
	o, err := parseClient(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "bookinfo client:", err)
		}
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	l := newLoad(o, stdout)
	l.run(ctx)
	if l.report.failed() {
		return 1
	}
	return 0
}
