// Command demo is the main job on loopback: the control plane reading a folder
// of YAML, proxies beside clients and servers, real services in two versions
// each, and steady traffic whose shares the terminal shows. With -once it
// edits the folder by itself, counts every request at client and server, and
// fails if a rule or a request was missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/aeraki-mesh/aeraki/test/harness"
)

func main() {
	once := flag.Bool("once", false, "edit, count and check unattended")
	keep := flag.Bool("keep", false, "go on with the last demo's folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A closed pipe must not kill us before we have stopped what we started.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if err := run(ctx, *once, *keep); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, once, keep bool) (err error) {
	dir, err := folder(keep)
	if err != nil {
		return err
	}
	m, err := harness.New(dir)
	if err != nil {
		return err
	}
	s := &stage{Mesh: m, services: services(), say: func(format string, a ...any) { fmt.Printf(format+"\n", a...) }}
	defer func() {
		stopped := m.Stop()
		if err == nil {
			err = stopped
		}
	}()
	if err := s.start(ctx, keep); err != nil {
		return err
	}
	if once {
		return runOnce(ctx, s)
	}
	return runLive(ctx, s)
}

// folder returns the demo's own folder: a fresh one under .demo, or the last.
func folder(keep bool) (string, error) {
	root, err := harness.Root()
	if err != nil {
		return "", err
	}
	base := filepath.Join(root, ".demo")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	last := filepath.Join(base, "last")
	if keep {
		dir, err := os.Readlink(last)
		if err != nil {
			return "", fmt.Errorf("no demo to go on with (%w): run it once without KEEP", err)
		}
		return dir, nil
	}
	dir, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return "", err
	}
	os.Remove(last) // it may not exist
	return dir, os.Symlink(dir, last)
}
