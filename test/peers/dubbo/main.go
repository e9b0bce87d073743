// Command dubbo is a real Dubbo provider and consumer (dubbo-go, protocol dubbo, hessian2) for
// tests, the demo and captures. ../README.md has the contract that it shares with the other peers.
// It holds nothing of Aeraki: what it says on the wire is what the library says.
package main

import (
	"fmt"
	"io"
	"os"

	getty "github.com/apache/dubbo-getty"
	"github.com/dubbogo/gost/log/logger"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	_ "dubbo.apache.org/dubbo-go/v3/cluster/cluster/failfast"
	_ "dubbo.apache.org/dubbo-go/v3/cluster/loadbalance/random"
	_ "dubbo.apache.org/dubbo-go/v3/filter/echo"
	_ "dubbo.apache.org/dubbo-go/v3/filter/generic"
	_ "dubbo.apache.org/dubbo-go/v3/filter/graceful_shutdown"
	_ "dubbo.apache.org/dubbo-go/v3/protocol/dubbo"
	_ "dubbo.apache.org/dubbo-go/v3/proxy/proxy_factory"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0, 1 when a request failed or the server could not serve, 2 for wrong
// arguments.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		registerTypes()
		switch args[0] {
		case "server":
			return runServer(args[1:], stdout, stderr)
		case "client":
			return runClient(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintln(stderr, "usage: dubbo server|client [flags]; -h lists the flags")
	return 2
}

// logTo sends the library's log to w instead of the standard output, which belongs to the contract's
// lines; without verbose nothing is logged, because the library has lines for every failed request.
func logTo(w io.Writer, verbose bool) {
	level := zap.NewAtomicLevelAt(zapcore.DPanicLevel)
	if verbose {
		level.SetLevel(zapcore.DebugLevel)
	}
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(w), level)
	log := zap.New(core).Sugar()
	logger.SetLogger(&logger.DubboLogger{Logger: log, DynamicLevel: level})
	getty.SetLogger(log)
}
