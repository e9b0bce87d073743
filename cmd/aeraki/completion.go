package main

import "github.com/spf13/cobra"

// completeDir and completeWords register what the shell may offer for flags.
// The errors of cobra here say that a flag does not exist: a bug of ours that
// any run of the command shows.
func completeDir(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		must(cmd.MarkFlagDirname(f))
	}
}

func completeWords(cmd *cobra.Command, flag string, words ...string) {
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
