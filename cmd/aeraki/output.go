package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// output is the -o flag of a command that prints data.
type output struct{ format string }

func (o *output) addFlag(cmd *cobra.Command, format string) {
	cmd.Flags().StringVarP(&o.format, "output", "o", format, "json, yaml or table")
	completeWords(cmd, "output", "json", "yaml", "table")
}

func (o *output) check() error {
	switch o.format {
	case "json", "yaml", "table":
		return nil
	}
	return usagef("-o %q is none of json, yaml and table", o.format)
}

// print writes v as JSON or YAML, or what table writes.
func (o *output) print(w io.Writer, v any, table func(w io.Writer) error) error {
	if o.format == "table" {
		return table(w)
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	data = append(data, '\n')
	if o.format == "yaml" {
		if data, err = yaml.JSONToYAML(data); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	_, err = w.Write(data)
	return err
}

// columns writes rows in aligned columns, the first row as their titles.
func columns(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	return tw.Flush()
}

// shortType is the last word of a type URL.
func shortType(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
