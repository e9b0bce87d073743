package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type clientOptions struct {
	wire
	target      string
	methods     string // with commas between
	name        string
	payload     int // bytes of echo and blob
	millis      int // of slow
	n           int64
	connections int
	rate        float64 // requests per second of all connections together, 0: as fast as replies come
	timeout     time.Duration
	headers     headers
	stats       time.Duration
	print       bool
}

// headers collects -header k=v.
type headers []header

type header struct{ key, value string }

func (h *headers) String() string { return fmt.Sprint(*h) }

// Set implements flag.Value.
func (h *headers) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return fmt.Errorf("want KEY=VALUE: %q", s)
	}
	*h = append(*h, header{key, value})
	return nil
}

func parseClient(args []string, stderr io.Writer) (*clientOptions, error) {
	o := &clientOptions{}
	set := flag.NewFlagSet("thrift client", flag.ContinueOnError)
	set.SetOutput(stderr)
	o.wire.flags(set)
	set.StringVar(&o.target, "target", "", "address of the server")
	set.StringVar(&o.methods, "method", "sayHello", "one, or several with commas between, called in turn: "+strings.Join(methodNames(), ", "))
	set.StringVar(&o.name, "name", "world", "what the request says; a token that is unique per request is added")
	set.IntVar(&o.payload, "payload", 0, "bytes that echo and blob send at least")
	set.IntVar(&o.millis, "millis", 10, "what slow asks for")
	set.Int64Var(&o.n, "n", 1, "requests in all, 0: until a signal")
	set.IntVar(&o.connections, "connections", 1, "connections, each with one request in flight")
	set.Float64Var(&o.rate, "rate", 0, "requests per second of all connections, 0: as fast as replies come")
	set.DurationVar(&o.timeout, "timeout", 5*time.Second, "of connecting and of a reply")
	set.Var(&o.headers, "header", "KEY=VALUE of every request, repeatable; -transport header only")
	set.DurationVar(&o.stats, "stats", 0, "print numbers at this interval, 0: at the end only")
	set.BoolVar(&o.print, "print", false, "print every reply")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	err := errors.Join(o.wire.validate(), o.validate())
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
	for name := range strings.SplitSeq(o.methods, ",") {
		if _, ok := methods()[name]; !ok {
			problems = append(problems, fmt.Errorf("-method is not one of %s: %q", strings.Join(methodNames(), ", "), name))
		}
	}
	if o.connections < 1 {
		problems = append(problems, fmt.Errorf("-connections must be at least 1: %d", o.connections))
	}
	if o.n < 0 || o.rate < 0 || o.payload < 0 || o.timeout <= 0 {
		problems = append(problems, errors.New("-n, -rate and -payload must not be negative, -timeout must be positive"))
	}
	if len(o.headers) > 0 && o.transport != "header" {
		problems = append(problems, errors.New("-header needs -transport header"))
	}
	return errors.Join(problems...)
}

func runClient(args []string, stdout, stderr io.Writer) int {
	o, err := parseClient(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "thrift client:", err)
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
