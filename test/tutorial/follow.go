// Package tutorial follows the tutorials of docs/ as a reader does: in an empty
// folder outside the repository, in their order, with real processes. It holds
// no text of theirs. Package steps says how a tutorial is written.
package tutorial

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/aeraki-mesh/aeraki/test/harness"
	"github.com/aeraki-mesh/aeraki/tools/tutorial/steps"
)

// reader follows one tutorial.
type reader struct {
	dir  string   // empty at first; all files are written below it
	env  []string // of all commands
	logf func(format string, args ...any)

	running map[string]*process
	printed string // by the last commands
	lost    bool   // a step has failed: how the rest ends does not matter
}

// follow does one step. What it started runs until stop.
func (r *reader) follow(ctx context.Context, s *steps.Step) error {
	switch s.Kind {
	case steps.File:
		return s.Write(r.dir)
	case steps.Start:
		// With exec the signal of stop, and the exit code, are the program's own.
		p, err := start(r.command(context.Background(), "exec "+s.Text))
		if err != nil {
			return err
		}
		r.running[s.Name] = p
		return p.ready(ctx, s.Ready)
	case steps.Output:
		if missing, ok := steps.Matches(s.Text, r.printed); !ok {
			return fmt.Errorf("no line %q, or not in this order, in:\n%s", missing, r.printed)
		}
		return nil
	}
	if s.Name != "" {
		if err := r.running[s.Name].ended(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		delete(r.running, s.Name)
	}
	out, err := r.command(ctx, s.Text).CombinedOutput()
	r.printed = string(out)
	r.logf("%s%s", s.Text, out)
	return err
}

// command runs lines of shell in a process group of its own, which ends with
// ctx; the first line that fails is the last.
func (r *reader) command(ctx context.Context, text string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", "-euc", text)
	c.Dir, c.Env = r.dir, r.env
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}

// stop ends what runs, and returns what had ended by itself before.
func (r *reader) stop(ctx context.Context) (problems []error) {
	for name, p := range r.running {
		if err := p.stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w\n%s", name, err, p.said()))
		}
	}
	return problems
}

// port is one that tutorials may use: 7100 to 7199.
var port = regexp.MustCompile(`\b71\d\d\b`)

// otherPorts replaces the ports that the tutorial shows by free ones, so that
// the test gets in nobody's way.
func otherPorts(all []steps.Step) error {
	taken := map[string]string{}
	for _, s := range all {
		for _, p := range port.FindAllString(s.Text, -1) {
			taken[p] = ""
		}
	}
	free, err := harness.FreePorts(len(taken))
	if err != nil {
		return err
	}
	for p := range taken {
		taken[p] = strconv.Itoa(free[0])
		free = free[1:]
	}
	for i := range all {
		all[i].Text = port.ReplaceAllStringFunc(all[i].Text, func(p string) string { return taken[p] })
	}
	return nil
}

// environment is that of a reader who has a clone at root. A workspace or
// flags of this test's own caller would change what go does.
func environment(root string) []string {
	env := []string{"AERAKI=" + root, "GOWORK=off"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOWORK=") && !strings.HasPrefix(v, "AERAKI=") && !strings.HasPrefix(v, "PWD=") {
			env = append(env, v)
		}
	}
	return env
}
