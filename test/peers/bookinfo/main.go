// Command bookinfo is Istio's bookshop made small, over AwesomeRPC: the
// services reviews, ratings and details, and a client in the role of the
// product page. ../README.md has the contract that it shares with the other
// peers, docs/protocols/awesomerpc.md the protocol. It holds nothing of Aeraki.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0, 1 when a request failed or the server could not serve, 2 for wrong
// arguments.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "server":
			return runServer(args[1:], stdout, stderr)
		case "client":
			return runClient(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintln(stderr, "usage: bookinfo server|client [flags]; -h lists the flags")
	return 2
}
