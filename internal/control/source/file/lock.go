package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// lockFile is locked by who writes the state folder, and says who that is. It
// stays when the lock goes.
const lockFile = "lock"

// errLocked: somebody else has the lock.
var errLocked = errors.New("locked")

// lockState takes the state folder for this process until unlock is called:
// two writers would take each other's last good forms away. A folder that
// cannot be written to needs no lock, nor can it have one; that is told when
// forms are to be saved. The lock goes with the process, however it ends.
func lockState(dir string) (unlock func() error, err error) {
	nothing := func() error { return nil }
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nothing, nil
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nothing, nil
	}
	switch err := flock(f); {
	case errors.Is(err, errLocked):
		holder, _ := io.ReadAll(io.LimitReader(f, 100)) // only for the message
		return nil, errors.Join(fmt.Errorf("source/file: state folder %s is used by another controller (%s): stop it, or name another folder with --state",
			dir, strings.TrimSpace(string(holder))), f.Close())
	case err != nil:
		// A file system without locks: as safe as before there were any.
		return nothing, f.Close()
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "process %d\n", os.Getpid()) // only for the message
	}
	return f.Close, nil
}
