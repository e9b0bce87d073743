package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinksResolve: every relative link of the documents leads to a file that
// is there, and its fragment to a heading.
func TestLinksResolve(t *testing.T) {
	links := 0
	for _, path := range documents(t) {
		text := fence.ReplaceAllString(read(t, path), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			if why := broken(path, m[1]); why != "" {
				t.Errorf("%s: the link %s %s", strings.TrimPrefix(path, "../../"), m[1], why)
			}
		}
	}
	if links < 10 {
		t.Errorf("only %d links are found", links)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	for _, to := range []string{"nothing.md", "cli.md#nothing", "#nothing", "../../../../etc/hostname"} {
		if broken("../../docs/rules.md", to) == "" {
			t.Errorf("%s resolves", to)
		}
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	paths := []string{"../../README.md", "../../CONTRIBUTING.md"}
	err := filepath.WalkDir("../../docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// broken says what is wrong with a link of the document, "" if nothing is.
func broken(document, to string) string {
	file, fragment, hasFragment := strings.Cut(to, "#")
	target := document
	if file != "" {
		target = filepath.Join(filepath.Dir(document), file)
	}
	if outside, err := filepath.Rel("../..", target); err != nil || strings.HasPrefix(outside, "..") {
		return "leads out of the repository"
	}
	if _, err := os.Stat(target); err != nil {
		return "leads to nothing"
	}
	if !hasFragment || filepath.Ext(target) != ".md" {
		return ""
	}
	b, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(b), ""), -1) {
		if slug(h[1]) == fragment {
			return ""
		}
	}
	return "leads to no heading"
}

// slug is the anchor that a heading gets, as code hosts make it.
func slug(h string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h), ""), " ", "-")
}
