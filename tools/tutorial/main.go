// Command tutorial takes a tutorial apart; package steps says how one is
// written.
//
//	tutorial extract FILE.md DIR   writes the tutorial's files into DIR
//	tutorial commands FILE.md      prints its commands
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aeraki-mesh/aeraki/tools/tutorial/steps"
)

var errUsage = errors.New("usage: tutorial extract FILE.md DIR | tutorial commands FILE.md")

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tutorial:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) < 2 {
		return errUsage
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	all, err := steps.Parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	switch {
	case args[0] == "extract" && len(args) == 3:
		return extract(all, args[2], stdout)
	case args[0] == "commands" && len(args) == 2:
		printCommands(all, stdout)
		return nil
	}
	return errUsage
}

// extract writes the files into dir and names each.
func extract(all []steps.Step, dir string, stdout io.Writer) error {
	for _, s := range all {
		if s.Kind != steps.File {
			continue
		}
		if err := s.Write(dir); err != nil {
			return err
		}
		fmt.Fprintln(stdout, filepath.Join(dir, filepath.FromSlash(s.Path)))
	}
	return nil
}

// printCommands prints what a reader types; what goes on beside the rest gets
// an ampersand.
func printCommands(all []steps.Step, stdout io.Writer) {
	for _, s := range all {
		switch s.Kind {
		case steps.Run:
			fmt.Fprint(stdout, s.Text)
		case steps.Start:
			fmt.Fprintf(stdout, "%s & # %s\n", strings.TrimSpace(s.Text), s.Name)
		}
	}
}
