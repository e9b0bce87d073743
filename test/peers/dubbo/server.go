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

	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/common/extension"
	"dubbo.apache.org/dubbo-go/v3/global"
	"dubbo.apache.org/dubbo-go/v3/protocol/protocolwrapper"
	gettyremoting "dubbo.apache.org/dubbo-go/v3/remoting/getty"
)

// maxMessage is what both sides accept: 4 MiB payloads and more.
const maxMessage = 16 << 20

type serverOptions struct {
	service
	listen    string
	name      string
	delay     time.Duration // before every handler
	drain     time.Duration // how long a stop waits for requests under way
	heartbeat time.Duration
	countFile string
}

// service holds the flags that both sides have.
type service struct {
	name, group, version string
	verbose              bool
}

func (s *service) flags(set *flag.FlagSet) {
	set.StringVar(&s.name, "interface", helloInterface, "the Java interface")
	set.StringVar(&s.group, "group", "", "service group")
	set.StringVar(&s.version, "version", "", "service version")
	set.BoolVar(&s.verbose, "verbose", false, "write the library's log to the standard error output")
}

func parseServer(args []string, stderr io.Writer) (*serverOptions, error) {
	o := &serverOptions{}
	set := flag.NewFlagSet("dubbo server", flag.ContinueOnError)
	set.SetOutput(stderr)
	o.service.flags(set)
	set.StringVar(&o.listen, "listen", "127.0.0.1:0", "address; port 0 takes a free one")
	set.StringVar(&o.name, "name", "v1", "the name in replies and counts")
	set.DurationVar(&o.delay, "delay", 0, "wait this long before every handler")
	set.DurationVar(&o.drain, "drain", 10*time.Second, "at a stop, wait at most this long for requests under way")
	set.DurationVar(&o.heartbeat, "heartbeat", time.Minute, "send heartbeats to the clients at this interval")
	set.StringVar(&o.countFile, "count-file", "", "keep the counts in this file too")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return o, nil
}

func runServer(args []string, stdout, stderr io.Writer) int {
	o, err := parseServer(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "dubbo server:", err)
		}
		return 2
	}
	logTo(stderr, o.verbose)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "dubbo server:", err)
		return 1
	}
	return 0
}

// serve answers requests until ctx is done, then finishes those under way and prints the counts.
func serve(ctx context.Context, o *serverOptions, stdout io.Writer) error {
	counts := newCounts(o.name)
	addr, err := o.export(&HelloService{name: o.name, delay: o.delay, counts: counts})
	if err != nil {
		return err
	}
	stopFile, fileDone := make(chan struct{}), make(chan error, 1)
	go func() {
		if o.countFile == "" {
			fileDone <- nil
			return
		}
		fileDone <- counts.keepFile(o.countFile, stopFile)
	}()

	fmt.Fprintf(stdout, "LISTENING %s\n", addr)
	<-ctx.Done()
	counts.awaitIdle(o.drain)
	// Closes the listener and the connections; dubbo-go has no READONLY event.
	extension.GetProtocol("dubbo").Destroy()
	close(stopFile)
	err = <-fileDone
	line, lineErr := counts.line()
	stdout.Write(line)
	return errors.Join(err, lineErr)
}

// export serves h and returns the address. The library cannot report the port that the system chose
// for port 0, so a free one is looked for first; another process may be faster, hence the attempts.
func (o *serverOptions) export(h *HelloService) (string, error) {
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return "", err
	}
	if _, err := common.ServiceMap.Register(o.service.name, "dubbo", o.group, o.version, h); err != nil {
		return "", err
	}
	config := gettyremoting.GetDefaultServerConfig()
	config.GettySessionParam.MaxMsgLen = maxMessage
	config.HeartbeatPeriod = o.heartbeat.String()
	// Bounds requests worked on at once; the default of 120 would queue them.
	config.GrPoolSize = 4096
	config.SessionNumber = 10000
	gettyremoting.SetServerConfig(*config)
	for attempt := 1; ; attempt++ {
		try := port
		if port == "0" {
			if try, err = freePort(host); err != nil {
				return "", err
			}
		}
		err = o.exportAt(host, try)
		if err == nil {
			return net.JoinHostPort(host, try), nil
		}
		if port != "0" || attempt == 10 {
			return "", err
		}
	}
}

func freePort(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// exportAt does what the library's server package does for a service without a registry, except
// that it returns when the port accepts, which that package does not tell.
func (o *serverOptions) exportAt(host, port string) (err error) {
	defer func() {
		// The library panics when it cannot listen.
		if r := recover(); r != nil {
			err = fmt.Errorf("export: %v", r)
		}
	}()
	url := common.NewURLWithOptions(
		common.WithProtocol("dubbo"), common.WithIp(host), common.WithPort(port),
		common.WithPath(o.service.name),
		common.WithParamsValue(constant.InterfaceKey, o.service.name),
		common.WithParamsValue(constant.GroupKey, o.group),
		common.WithParamsValue(constant.VersionKey, o.version),
		common.WithParamsValue(constant.SerializationKey, constant.Hessian2Serialization),
		common.WithParamsValue(constant.ServiceFilterKey, constant.EchoFilterKey+","+constant.GenericServiceFilterKey),
		common.WithAttribute(constant.ProtocolConfigKey, map[string]*global.ProtocolConfig{}),
	)
	invoker := extension.GetProxyFactory("default").GetInvoker(url)
	extension.GetProtocol(protocolwrapper.FILTER).Export(invoker)
	return nil
}
