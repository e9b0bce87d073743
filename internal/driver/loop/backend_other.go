//go:build !linux

package loop

func newBackend(o Options) backend { return newPortable(o) }
