package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds every step of a peer process.
const patience = time.Minute

// runner runs peers and writes files.
type runner struct {
	out, work string
	commands  map[peer]string
	groups    int
}

// record runs a group's provider and all its consumers, one after the other, also after a failure.
func (r *runner) record(ctx context.Context, g group) error {
	ctx, cancel := context.WithTimeout(ctx, 5*patience)
	defer cancel()
	relay, err := newRelay()
	if err != nil {
		return err
	}
	defer relay.close()
	flags := append([]string{"server", "-drain", "500ms"}, g.flags...)
	var folder string
	if g.registry {
		r.groups++
		folder = filepath.Join(r.work, fmt.Sprintf("registry%d", r.groups))
		flags = append(flags, "-registry", folder, "-register", relay.addr())
	}
	provider := exec.CommandContext(ctx, r.commands[g.provider], flags...)
	provider.Stderr = os.Stderr
	stdout, err := provider.StdoutPipe()
	if err != nil {
		return err
	}
	if err := provider.Start(); err != nil {
		return err
	}
	defer func() {
		provider.Process.Signal(syscall.SIGTERM)
		io.Copy(io.Discard, stdout)
		provider.Wait()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s %v: %w", g.provider, flags, err)
	}
	relay.target(strings.TrimSpace(strings.TrimPrefix(line, "LISTENING ")))
	var problems []error
	for _, c := range g.calls {
		relay.begin()
		stop := func() { provider.Process.Signal(syscall.SIGTERM) }
		err := r.consume(ctx, g, c, relay, folder, stop)
		lines := relay.end()
		if err == nil {
			err = r.write(g, c, lines)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", c.file, err))
		}
	}
	return errors.Join(problems...)
}

func (r *runner) consume(ctx context.Context, g group, c call, relay *relay, folder string, stop func()) error {
	if c.raw != nil {
		return sendRaw(relay.addr(), c.raw())
	}
	flags := append([]string{"client", "-print"}, c.flags...)
	if g.registry {
		flags = append(flags, "-registry", folder)
	} else {
		flags = append(flags, "-target", relay.addr())
	}
	var output bytes.Buffer
	consumer := exec.CommandContext(ctx, r.commands[c.consumer], flags...)
	consumer.Stdout, consumer.Stderr = &output, &output
	if err := consumer.Start(); err != nil {
		return err
	}
	if c.stop {
		if err := relay.awaitReply(ctx); err != nil {
			return err
		}
		stop()
	}
	err := consumer.Wait()
	var exit *exec.ExitError
	if err != nil && !(c.fails && errors.As(err, &exit)) {
		return fmt.Errorf("%v: %w\n%s", flags, err, output.String())
	}
	fmt.Printf("%-48s %s\n", c.file, lastLine(output.String()))
	return nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// sendRaw sends one message and waits for one.
func sendRaw(addr string, message []byte) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(message); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, err = readMessage(c)
	var timeout net.Error
	if errors.As(err, &timeout) || errors.Is(err, io.EOF) {
		return nil // No reply is an answer, too; the file tells.
	}
	return err
}

func (r *runner) write(g group, c call, lines []string) error {
	var b strings.Builder
	consumer := "hand-made requests"
	if c.raw == nil {
		consumer = "consumer " + c.consumer.String()
	}
	serialization := strings.Split(c.file, "-")[2]
	if serialization == "registry" {
		serialization = "serialization by the registry's URL"
	}
	fmt.Fprintf(&b, "# origin: %s, provider %s, %s\n", consumer, g.provider, serialization)
	fmt.Fprintf(&b, "# date: %s\n", time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "# about: %s\n", c.about)
	if c.raw == nil {
		fmt.Fprintf(&b, "# called: client %s\n", strings.Join(c.flags, " "))
	}
	if len(g.flags) > 0 {
		fmt.Fprintf(&b, "# provider: server %s\n", strings.Join(g.flags, " "))
	}
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return os.WriteFile(filepath.Join(r.out, c.file), []byte(b.String()), 0o644)
}
