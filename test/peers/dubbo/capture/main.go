// Command capture records what real Dubbo peers say to each other, as test data for the Dubbo codec:
// one file per scenario, one Dubbo message per line. It runs the peers of ../ and ../../dubbojava and
// relays their connections. README.md of the captures describes the files; run it from test/peers/dubbo:
//
//	../dubbojava/build.sh /tmp/javapeers
//	go run ./capture -java /tmp/javapeers -out ../../../protocols/dubbo/testdata/captures
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	java := flag.String("java", "", "folder that build.sh of the Java peers filled")
	out := flag.String("out", "", "folder of the captures")
	only := flag.String("only", "", "record the scenarios whose file name contains this")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *java, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "capture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, java, out, only string) error {
	if java == "" || out == "" {
		return fmt.Errorf("-java and -out are needed")
	}
	work, err := os.MkdirTemp("", "capture")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	goPeer := filepath.Join(work, "dubbo")
	build := exec.CommandContext(ctx, "go", "build", "-o", goPeer, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build of the Go peer: %w", err)
	}
	r := &runner{out: out, work: work, commands: map[peer]string{golang: goPeer}}
	for _, p := range javas {
		r.commands[p] = filepath.Join(java, p.version(), "peer")
	}
	var problems []error
	for _, g := range scenarios() {
		g.calls = matching(g.calls, only)
		if len(g.calls) == 0 {
			continue
		}
		problems = append(problems, r.record(ctx, g))
	}
	return errors.Join(append(problems, writeIndex(out))...)
}

func matching(calls []call, only string) []call {
	var kept []call
	for _, c := range calls {
		if strings.Contains(c.file, only) {
			kept = append(kept, c)
		}
	}
	return kept
}
