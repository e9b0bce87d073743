// Command bench measures what proxies cost per request; README.md says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aeraki-mesh/aeraki/test/bench/internal/proxy"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/report"
	"github.com/aeraki-mesh/aeraki/test/bench/internal/run"
)

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch runs the benchmark, or one of the processes that it starts.
func dispatch(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "load":
			return loadMain(args[1:])
		case "serve":
			return serveMain(args[1:])
		case "idle":
			return idleMain(args[1:])
		}
	}
	return benchMain(args)
}

// options are the flags of the benchmark.
type options struct {
	bench           run.Bench
	only, proxies   string
	out, bin, cache string
	command         string
}

func parse(args []string) (*options, error) {
	o := &options{command: "go run ."}
	b := &o.bench
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&b.Rounds, "rounds", 3, "how often each proxy has its turn in each case")
	f.DurationVar(&b.Window, "duration", 2*time.Second, "measured time per case, proxy and round")
	f.DurationVar(&b.Warmup, "warmup", 300*time.Millisecond, "load before the measured time")
	f.IntVar(&b.Idle, "idle", 10_000, "connections of the idle cases")
	f.IntVar(&b.ProxyCore, "proxy-core", 0, "CPU of the proxy")
	f.IntVar(&b.LoadCore, "load-core", 1, "CPU of load generator and echo server")
	f.StringVar(&o.only, "only", strings.Join(run.DefaultCases(), ","), "cases, separated by commas: WIRE-CxD, WIRE-open, WIRE-openRATE, these also with -4k; WIRE-idle")
	f.StringVar(&o.proxies, "proxies", "", "proxies, separated by commas (default all)")
	f.StringVar(&o.out, "out", "", "Markdown file to write the tables to, between its marks if it has them")
	f.StringVar(&o.bin, "bin", "../../bin", "folder with aeraki and aeraki-proxy, which make build fills")
	f.StringVar(&o.cache, "cache", "../../.cache/bench", "folder for installed peers")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	f.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"out", "bin", "cache"}, f.Name) { // where things lie changes no figure
			o.command += " -" + f.Name + " " + f.Value.String()
		}
	})
	if f.NArg() > 0 {
		return nil, fmt.Errorf("argument %q", f.Arg(0))
	}
	for name := range strings.SplitSeq(o.only, ",") {
		c, err := run.ParseCase(name)
		if err != nil {
			return nil, err
		}
		b.Cases = append(b.Cases, c)
	}
	if b.Rounds < 1 || b.Window <= 0 || b.Warmup < 0 || b.Idle < 1 {
		return nil, errors.New("-rounds, -duration and -idle must be positive, -warmup not negative")
	}
	return o, nil
}

func benchMain(args []string) error {
	runtime.LockOSThread() // for proxy.StartPinned
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.prepare(); err != nil {
		return err
	}
	names, err := o.names()
	if err != nil {
		return err
	}
	have, err := proxy.Installer{Bin: o.bin, Cache: o.cache, Log: os.Stderr}.Install(ctx, names)
	if err != nil {
		return err
	}
	o.bench.Proxies = slices.DeleteFunc(proxy.All(have), func(p proxy.Proxy) bool { return !slices.Contains(names, p.Name) })
	head := o.heading(ctx, have)
	fmt.Fprintln(os.Stderr, head)
	results, err := o.bench.Run(ctx)
	if err != nil {
		return err
	}
	text := head + "\n" + report.Markdown(results, o.bench.Proxies)
	fmt.Print(text)
	if o.out != "" {
		if err := report.Write(o.out, text); err != nil {
			return err
		}
	}
	if report.Failed(results) {
		return errors.New("some measurements failed")
	}
	return nil
}

// names are the proxies asked for that some case can use: nothing is
// installed that is not measured.
func (o *options) names() ([]string, error) {
	all := proxy.All(&proxy.Installed{})
	var asked, names []string
	if o.proxies != "" {
		asked = strings.Split(o.proxies, ",")
	}
	for _, p := range all {
		wanted := o.proxies == "" || slices.Contains(asked, p.Name)
		if wanted && slices.ContainsFunc(o.bench.Cases, func(c run.Case) bool { return p.Carries(c.Wire) }) {
			names = append(names, p.Name)
		}
	}
	for _, a := range asked {
		if !slices.ContainsFunc(all, func(p proxy.Proxy) bool { return p.Name == a }) {
			return nil, fmt.Errorf("no proxy of the name %q", a)
		}
	}
	return names, nil
}
