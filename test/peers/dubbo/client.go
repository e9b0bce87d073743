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
	service
	target      string
	methods     []string // taken in turn
	name        string
	payload     int // bytes of the texts and of blob
	number      int // of slow and greet
	n           int64
	connections int
	concurrency int     // requests in flight over all connections
	rate        float64 // requests per second in all, 0: as fast as replies come
	timeout     time.Duration
	attachments attachments
	generic     bool
	oneway      bool
	heartbeat   time.Duration
	stats       time.Duration
	print       bool
}

// attachments collects -attachment k=v.
type attachments map[string]string

func (a *attachments) String() string { return fmt.Sprint(map[string]string(*a)) }

// Set implements flag.Value.
func (a *attachments) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return fmt.Errorf("want KEY=VALUE: %q", s)
	}
	if *a == nil {
		*a = attachments{}
	}
	(*a)[key] = value
	return nil
}

func parseClient(args []string, stderr io.Writer) (*clientOptions, error) {
	o := &clientOptions{}
	set := flag.NewFlagSet("dubbo client", flag.ContinueOnError)
	set.SetOutput(stderr)
	o.service.flags(set)
	set.StringVar(&o.target, "target", "", "address of the server")
	method := set.String("method", "sayHello", "one or more, separated by commas, taken in turn: "+strings.Join(methodNames(), ", "))
	set.StringVar(&o.name, "name", "world", "what the request says; a token that is unique per request is added")
	set.IntVar(&o.payload, "payload", 0, "bytes that the request carries at least")
	set.IntVar(&o.number, "number", 10, "milliseconds of slow, second argument of greet")
	set.Int64Var(&o.n, "n", 1, "requests in all, 0: until a signal")
	set.IntVar(&o.connections, "connections", 1, "TCP connections; the library picks one at random per request")
	set.IntVar(&o.concurrency, "concurrency", 0, "requests in flight in all, 0: as many as connections")
	set.Float64Var(&o.rate, "rate", 0, "requests per second in all, 0: as fast as replies come")
	set.DurationVar(&o.timeout, "timeout", 5*time.Second, "of connecting and of a reply; goes into the timeout attachment")
	set.Var(&o.attachments, "attachment", "KEY=VALUE of every request, repeatable")
	set.BoolVar(&o.generic, "generic", false, "call through $invoke")
	set.BoolVar(&o.oneway, "oneway", false, "expect no reply")
	set.DurationVar(&o.heartbeat, "heartbeat", 30*time.Second, "send heartbeats at this interval")
	set.DurationVar(&o.stats, "stats", 0, "print numbers at this interval, 0: at the end only")
	set.BoolVar(&o.print, "print", false, "print every reply")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	o.methods = strings.Split(*method, ",")
	if o.concurrency == 0 {
		o.concurrency = o.connections
	}
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
	for _, m := range o.methods {
		if _, ok := methods()[m]; !ok {
			problems = append(problems, fmt.Errorf("-method is not one of %s: %q", strings.Join(methodNames(), ", "), m))
		}
	}
	if o.connections < 1 || o.concurrency < 1 {
		problems = append(problems, fmt.Errorf("-connections and -concurrency must be at least 1: %d, %d", o.connections, o.concurrency))
	}
	if o.n < 0 || o.rate < 0 || o.payload < 0 || o.timeout <= 0 {
		problems = append(problems, errors.New("-n, -rate and -payload must not be negative, -timeout must be positive"))
	}
	if o.generic && o.oneway {
		problems = append(problems, errors.New("-generic and -oneway exclude each other"))
	}
	return errors.Join(problems...)
}

func runClient(args []string, stdout, stderr io.Writer) int {
	o, err := parseClient(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "dubbo client:", err)
		}
		return 2
	}
	logTo(stderr, o.verbose)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	c, err := newCaller(o)
	if err != nil {
		fmt.Fprintln(stderr, "dubbo client:", err)
		return 1
	}
	l := newLoad(o, c, stdout)
	l.run(ctx)
	if l.report.failed() {
		return 1
	}
	return 0
}
