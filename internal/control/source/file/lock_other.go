//go:build !unix

package file

import "os"

// flock: there is none; nobody runs a controller there, only the CLI.
func flock(*os.File) error { return nil }
