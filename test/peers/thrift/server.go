package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/aeraki-mesh/aeraki/test/peers/thrift/gen/sample"
)

type serverOptions struct {
	wire
	listen    string
	name      string
	delay     time.Duration // before every handler
	drain     time.Duration // how long a stop waits for requests under way
	countFile string
	service   string
}

func parseServer(args []string, stderr io.Writer) (*serverOptions, error) {
	o := &serverOptions{}
	set := flag.NewFlagSet("thrift server", flag.ContinueOnError)
	set.SetOutput(stderr)
	o.wire.flags(set)
	set.StringVar(&o.listen, "listen", "127.0.0.1:0", "address; port 0 takes a free one")
	set.StringVar(&o.name, "name", "v1", "the name in replies and counts")
	set.DurationVar(&o.delay, "delay", 0, "wait this long before every handler")
	set.DurationVar(&o.drain, "drain", 10*time.Second, "at a stop, wait at most this long for requests under way")
	set.StringVar(&o.countFile, "count-file", "", "keep the counts in this file too")
	set.StringVar(&o.service, "service", "HelloService", "the service served without -multiplexed: HelloService or Calculator")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	err := o.validate()
	if set.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", set.Arg(0)))
	}
	if o.service != "HelloService" && o.service != "Calculator" {
		err = errors.Join(err, fmt.Errorf("-service must be HelloService or Calculator: %q", o.service))
	}
	return o, err
}

func runServer(args []string, stdout, stderr io.Writer) int {
	o, err := parseServer(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "thrift server:", err)
		}
		return 2
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, nil)))
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "thrift server:", err)
		return 1
	}
	return 0
}

// serve answers requests until ctx is done, then finishes those under way and prints the counts.
func serve(ctx context.Context, o *serverOptions, stdout io.Writer) error {
	counts := newCounts(o.name)
	socket, err := listen(o.listen, counts)
	if err != nil {
		return err
	}
	config := o.config(0)
	server := thrift.NewTSimpleServer4(processor(o, counts), socket, o.transportFactory(config), o.protocolFactory(config))
	thrift.ServerStopTimeout = o.drain

	stopFile, fileDone := make(chan struct{}), make(chan error, 1)
	go func() {
		if o.countFile == "" {
			fileDone <- nil
			return
		}
		fileDone <- counts.keepFile(o.countFile, stopFile)
	}()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Stop()
	}()

	fmt.Fprintf(stdout, "LISTENING %s\n", socket.tcp.Addr())
	if err := server.Serve(); err != nil {
		return err
	}
	err = <-stopped
	close(stopFile)
	err = errors.Join(err, <-fileDone)
	line, lineErr := counts.line()
	stdout.Write(line)
	return errors.Join(err, lineErr)
}

// processor returns the services with counting, delay and header echo around every method.
func processor(o *serverOptions, c *counts) thrift.TProcessor {
	h := &handler{name: o.name}
	hello := sample.NewHelloServiceProcessor(h)
	delete(hello.ProcessorMap(), "missing")
	around := func(method string, next thrift.TProcessorFunction) thrift.TProcessorFunction {
		return thrift.WrappedTProcessorFunction{
			Wrapped: func(ctx context.Context, id int32, in, out thrift.TProtocol) (bool, thrift.TException) {
				c.begin(method)
				defer c.end()
				answerHeaders(ctx, o.name)
				time.Sleep(o.delay)
				return next.Process(ctx, id, in, out)
			},
		}
	}
	helloService := thrift.WrapProcessor(hello, around)
	calculator := thrift.WrapProcessor(sample.NewCalculatorProcessor(h), around)
	switch {
	case o.multiplexed:
		both := thrift.NewTMultiplexedProcessor()
		both.RegisterProcessor("HelloService", helloService)
		both.RegisterProcessor("Calculator", calculator)
		return both
	case o.service == "Calculator":
		return calculator
	}
	return helloService
}

// answerHeaders makes a THeader reply carry who served it, and every header of the request under
// x-echo-NAME: so a client sees what reached the server. It does nothing on other transports.
func answerHeaders(ctx context.Context, name string) {
	helper, ok := thrift.GetResponseHelper(ctx)
	if !ok || helper.THeaderResponseHelper == nil {
		return
	}
	// The library keeps headers from one reply of a connection to the next.
	helper.ClearHeaders()
	helper.SetHeader("x-served-by", name)
	for _, key := range thrift.GetReadHeaderList(ctx) {
		value, _ := thrift.GetHeader(ctx, key)
		helper.SetHeader("x-echo-"+key, value)
	}
}
