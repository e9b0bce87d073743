// Command record is a TCP relay that writes what it relays to a file, as test data for codecs. It
// knows no protocol: one line is what went in one direction until the other side answered, or until
// a pause of 50 ms. A sequential client makes one message per line; several one-way messages may come
// to stand in one, which codec/codectest takes apart again.
//
// # The file
//
// Lines that start with # are comments; the first ones say where the bytes come from, when, and what
// was called. "C" and a space precede bytes of the client, "S" those of the server, in hexadecimal,
// in the order in which they were relayed:
//
//	# origin: apache/thrift Go 0.25.0, framed binary
//	# date: 2026-11-21
//	# called: echo
//	C 0000001c80010001...
//	S 0000002180010002...
//
// A line that starts with "# connection" stands before each connection but the first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	listen string
	to     string
	out    string
	origin string
	called string
	once   bool
	now    func() time.Time
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "record:", err)
		}
		os.Exit(2)
	}
	if err := record(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{now: time.Now}
	set := flag.NewFlagSet("record", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.listen, "listen", "127.0.0.1:0", "address; port 0 takes a free one")
	set.StringVar(&o.to, "to", "", "HOST:PORT of the server (required)")
	set.StringVar(&o.out, "out", "", "file to write (required)")
	set.StringVar(&o.origin, "origin", "", "who speaks: library, version, settings (required)")
	set.StringVar(&o.called, "called", "", "what the client calls")
	set.BoolVar(&o.once, "once", false, "end with the first connection, not at a signal")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if o.to == "" || o.out == "" || o.origin == "" {
		return o, errors.New("-to, -out and -origin are needed")
	}
	return o, nil
}

// record relays until ctx is done, or the first connection has ended. It says on stdout where it
// listens.
func record(ctx context.Context, o options, stdout io.Writer) (err error) {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	// A blocked Accept must not outlive ctx.
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	file, err := os.Create(o.out)
	if err != nil {
		return err
	}
	t := newTranscript(file, o.now)
	defer func() { err = errors.Join(err, t.end(), file.Close()) }()
	t.comment("origin: " + o.origin)
	t.comment("date: " + o.now().UTC().Format(time.DateOnly))
	if o.called != "" {
		t.comment("called: " + o.called)
	}
	fmt.Fprintf(stdout, "LISTENING %s\n", listener.Addr())
	for n := 1; ; n++ {
		client, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if n > 1 {
			t.comment(fmt.Sprintf("connection %d", n))
		}
		if err := relay(ctx, client, o.to, t); err != nil {
			return err
		}
		if o.once || ctx.Err() != nil {
			return nil
		}
	}
}
