package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/echo"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/frame"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/load"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/run"
)

// endpoints is how many upstream endpoints every proxy has.
const endpoints = 2

// quiet leaves the one thread that measures or serves alone: package poll's
// calls hide from Go's scheduler, so nothing may wait for this thread.
func quiet() {
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
}

func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// serveMain prints the endpoints' addresses, serves until its standard input
// is closed, and prints how many requests each endpoint served.
func serveMain(args []string) error {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	name := f.String("wire", "thrift", "protocol")
	if err := f.Parse(args); err != nil {
		return err
	}
	w, err := frame.ByName(*name)
	if err != nil {
		return err
	}
	s, addrs, err := echo.New(w, endpoints)
	if err != nil {
		return err
	}
	if err := s.StopOn(int(os.Stdin.Fd())); err != nil {
		return err
	}
	if err := say(addrs); err != nil {
		return err
	}
	quiet()
	served, err := s.Run()
	if err != nil {
		return err
	}
	return say(served)
}

// loadMain runs one load and prints its result.
func loadMain(args []string) error {
	var o load.Options
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	name := f.String("wire", "thrift", "protocol")
	targets := f.String("targets", "", "addresses, separated by commas")
	f.IntVar(&o.Conns, "conns", 1, "connections")
	f.IntVar(&o.Depth, "depth", 1, "requests in flight per connection")
	f.IntVar(&o.Rate, "rate", 0, "requests per second; 0: as many as -depth allows")
	f.IntVar(&o.Size, "size", 128, "payload bytes")
	f.DurationVar(&o.Warmup, "warmup", 0, "time before the window")
	f.DurationVar(&o.Window, "window", 0, "measured time")
	f.IntVar(&o.Proxy, "proxy", 0, "process whose CPU time is read")
	f.IntVar(&o.Server, "server", 0, "the echo server's process")
	f.Uint64Var(&o.Replies, "replies", 0, "the window goes on until there were so many replies")
	f.StringVar(&o.Metrics, "metrics", "", "URL that tells how many heap objects the proxy allocated")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.Targets = strings.Split(*targets, ",")
	var err error
	if o.Wire, err = frame.ByName(*name); err != nil {
		return err
	}
	quiet()
	r, err := load.Run(o)
	if err != nil {
		return err
	}
	return say(r)
}

// idleMain opens connections and says so; after a line on its standard input
// it sends one request on each and says so; then it waits for the end.
func idleMain(args []string) error {
	f := flag.NewFlagSet("idle", flag.ContinueOnError)
	name := f.String("wire", "thrift", "protocol")
	target := f.String("target", "", "address")
	n := f.Int("conns", 1, "connections")
	if err := f.Parse(args); err != nil {
		return err
	}
	w, err := frame.ByName(*name)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, *n)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", *target); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	if err := say("open"); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return in.Err()
	}
	for i, c := range conns {
		if err := run.Exchange(w, c); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	if err := say("used"); err != nil {
		return err
	}
	in.Scan()
	return in.Err()
}
