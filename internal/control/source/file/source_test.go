package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func router(name, host string) string {
	return "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {name: " + name + "}\n" +
		"spec:\n  hosts: [" + host + "]\n  routes: [{route: [{destination: {host: " + host + "}}]}]\n"
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path ...string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// folder is a source that accepts every valid form, one step at a time.
type folder struct {
	t   *testing.T
	dir string
	s   *Source
	u   Update
	n   int // updates that were handled
}

func newFolder(t *testing.T) *folder {
	f := &folder{t: t, dir: filepath.Join(t.TempDir(), "config")}
	f.restart(Options{})
	t.Cleanup(f.close)
	return f
}

// restart begins anew with what is on disk.
func (f *folder) restart(o Options) {
	f.t.Helper()
	f.close()
	o.Dir = f.dir
	s, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.s, f.n = s, 0
}

func (f *folder) close() {
	if f.s == nil {
		return
	}
	if err := f.s.Close(); err != nil {
		f.t.Error(err)
	}
	f.s = nil
}

func (f *folder) step() {
	f.t.Helper()
	f.s.step(false, f.handle)
}

func (f *folder) handle(u Update) map[resource.Key]string {
	f.u = u
	f.n++
	return acceptAll(u)
}

func acceptAll(u Update) map[resource.Key]string {
	out := map[resource.Key]string{}
	for _, o := range u.Snapshot.MetaRouters {
		if o.Current != nil {
			out[o.Key] = o.Current.Hash
		}
	}
	return out
}

// want checks what there is as "name=host", "name~host" for a last good form
// alone, in order, and the reasons of the diagnostics.
func (f *folder) want(objects string, reasons ...string) {
	f.t.Helper()
	if got := describe(f.u); got != objects {
		f.t.Errorf("objects are %q, want %q", got, objects)
	}
	var got []string
	for _, d := range f.u.Diagnostics {
		got = append(got, d.Reason)
	}
	if !slices.Equal(got, reasons) {
		f.t.Errorf("reasons are %v, want %v:\n%s", got, reasons, diag.Text(f.u.Diagnostics))
	}
}

func describe(u Update) string {
	var out []string
	for _, o := range u.Snapshot.MetaRouters {
		if o.Current != nil {
			out = append(out, o.Key.Name+"="+o.Current.Spec.Hosts[0])
		} else {
			out = append(out, o.Key.Name+"~"+o.LastGood.Spec.Hosts[0])
		}
	}
	return strings.Join(out, " ")
}

func TestReadsFoldersBelow(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b.demo"))
	put(t, f.dir, "x/y/c.yml", router("c", "c.demo"))
	put(t, f.dir, "x/readme.md", "nothing")
	put(t, f.dir, ".git/d.yaml", router("d", "d.demo"))
	put(t, f.dir, ".hidden.yaml", router("d", "d.demo"))
	if err := os.Symlink(filepath.Join(f.dir, ".hidden.yaml"), filepath.Join(f.dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	f.step()
	f.want("a=a.demo b=b.demo c=c.demo d=d.demo")
	if o := f.u.Snapshot.MetaRouters[1]; o.Key.Namespace != "default" || o.Current.At("spec.hosts") != 12 || o.Current.File != filepath.Join(f.dir, "a.yaml") {
		t.Errorf("origin of b is %s:%d, namespace %s", o.Current.File, o.Current.At("spec.hosts"), o.Key.Namespace)
	}
}

func TestUnchangedContentIsHandledOnce(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	f.step()
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	if f.n != 1 {
		t.Errorf("handled %d times", f.n)
	}
}

func TestAnInvalidObjectKeepsItsLastGoodForm(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b.demo"))
	f.step()
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+strings.Replace(router("b", "b2.demo"), "routes", "rotes", 1))
	f.step()
	f.want("a=a.demo b~b.demo", "UnknownField")
	if d := f.u.Diagnostics[0]; d.Line != 13 || d.Field != "spec.rotes" || !strings.Contains(d.Message, "stays in force") {
		t.Errorf("told: %s", d)
	}
	f.restart(Options{})
	f.step()
	f.want("a=a.demo b~b.demo", "UnknownField")
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b2.demo"))
	f.step()
	f.want("a=a.demo b=b2.demo")
}

func TestAFileThatDoesNotParseKeepsItsObjects(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b.demo"))
	put(t, f.dir, "c.yaml", router("c", "c.demo"))
	f.step()
	// The first document is well: what it says is in force.
	put(t, f.dir, "a.yaml", router("a", "a2.demo")+"---\n{")
	f.step()
	f.want("a=a2.demo b~b.demo c=c.demo", "BadYAML")
	for _, text := range []string{"{", "- just a list\n", "kind: MetaRouter\n",
		strings.Replace(router("b", "b.demo"), "MetaRouter", "MetaRoute", 1), strings.Replace(router("b", "b.demo"), "aeraki", "areaki", 1)} {
		put(t, f.dir, "a.yaml", text)
		f.step()
		if got := describe(f.u); got != "a~a2.demo b~b.demo c=c.demo" {
			t.Errorf("%q: objects are %s", text, got)
		}
		f.restart(Options{})
		f.step()
		if got := describe(f.u); got != "a~a2.demo b~b.demo c=c.demo" {
			t.Errorf("%q, restarted: objects are %s", text, got)
		}
	}
	put(t, f.dir, "a.yaml", "")
	f.step()
	f.want("a~a2.demo b~b.demo c=c.demo", "EmptyFile")
	put(t, f.dir, "a.yaml", router("a", "a3.demo"))
	f.step()
	f.want("a=a3.demo c=c.demo")
}

func TestAnUnreadableFileKeepsItsObjects(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	put(t, f.dir, "b.yaml", router("b", "b.demo"))
	f.step()
	remove(t, f.dir, "a.yaml")
	if err := os.Symlink(filepath.Join(f.dir, "nowhere"), filepath.Join(f.dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	f.step()
	f.want("a~a.demo b=b.demo", "FileUnreadable")
}

func TestARemovedObjectIsRemovedForGood(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b.demo"))
	put(t, f.dir, "c.yaml", router("c", "c.demo"))
	f.step()
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	remove(t, f.dir, "c.yaml")
	f.step()
	f.want("a=a.demo")
	f.restart(Options{})
	f.step()
	f.want("a=a.demo")
	// What comes back invalid has no last good form any more.
	put(t, f.dir, "c.yaml", strings.Replace(router("c", "c.demo"), "hosts", "host", 1))
	f.step()
	f.want("a=a.demo", "UnknownField")
}

func TestOneBrokenFileIsNoEmptyFolder(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo")+"---\n"+router("b", "b.demo"))
	f.step()
	put(t, f.dir, "a.yaml", "{")
	f.step()
	f.want("a~a.demo b~b.demo", "BadYAML")
}

func TestOtherPeoplesObjectsKeepNothing(t *testing.T) {
	f := newFolder(t)
	deployment := "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1}\n"
	put(t, f.dir, "a.yaml", router("a", "a.demo")+deployment)
	put(t, f.dir, "b.yaml", router("b", "b.demo"))
	f.step()
	f.want("a=a.demo b=b.demo", "NotRead")
	put(t, f.dir, "a.yaml", deployment)
	f.step()
	f.want("b=b.demo", "NotRead")
}

func TestRemovedWhileNobodyLooked(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	put(t, f.dir, "b.yaml", router("b", "b.demo"))
	f.step()
	remove(t, f.dir, "b.yaml")
	f.restart(Options{})
	f.step()
	f.want("a=a.demo")
}

func TestAnObjectMovesBetweenFiles(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	put(t, f.dir, "z.yaml", router("z", "z.demo"))
	f.step()
	put(t, f.dir, "b.yaml", router("a", "a.demo"))
	f.step()
	f.want("a=a.demo z=z.demo", "Duplicate")
	remove(t, f.dir, "a.yaml")
	f.step()
	f.want("a=a.demo z=z.demo")
	put(t, f.dir, "b.yaml", "{")
	f.step()
	f.want("a~a.demo z=z.demo", "BadYAML")
}

func TestAFolderThatIsGoneTakesNothingAway(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	put(t, f.dir, "b.yaml", router("b", "b.demo"))
	f.step()
	remove(t, f.dir)
	f.step()
	f.want("a~a.demo b~b.demo", "FolderUnreadable")
	f.restart(Options{})
	f.step()
	f.want("a~a.demo b~b.demo", "FolderUnreadable")
	put(t, f.dir, "notes.txt", "")
	f.step()
	f.want("a~a.demo b~b.demo", "FolderEmptied")
	f.restart(Options{AllowEmpty: true})
	f.step()
	f.want("")
	f.restart(Options{})
	f.step()
	f.want("")
}

func TestNothingIsHandedOutBeforeTheFolderCanBeRead(t *testing.T) {
	f := newFolder(t)
	f.step()
	if f.n != 0 {
		t.Fatalf("handed out %q", describe(f.u))
	}
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	f.want("a=a.demo")
}

func TestReadForgetsNothingAndKeepsNothing(t *testing.T) {
	f := &folder{t: t, dir: filepath.Join(t.TempDir(), "config")}
	f.restart(Options{Offline: true})
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.u = f.s.Read()
	f.want("a=a.demo")
	if _, err := os.Stat(DefaultState(f.dir)); !os.IsNotExist(err) {
		t.Errorf("reading wrote a state folder: %v", err)
	}
}

func TestStateThatIsDamagedIsTold(t *testing.T) {
	f := newFolder(t)
	put(t, f.dir, "a.yaml", router("a", "a.demo"))
	f.step()
	text, err := os.ReadFile(filepath.Join(DefaultState(f.dir), stateFile))
	if err != nil {
		t.Fatal(err)
	}
	put(t, DefaultState(f.dir), stateFile, separator+"nonsense\n"+string(text))
	f.restart(Options{})
	f.step()
	f.want("a=a.demo", "LastGoodUnreadable")
	put(t, f.dir, "a.yaml", "{")
	f.step()
	f.want("a~a.demo", "LastGoodUnreadable", "BadYAML")
}

// watching runs a source and hands out its updates.
func watching(t *testing.T, o Options) (dir string, updates <-chan Update) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "config")
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan Update, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(u Update) map[resource.Key]string { out <- u; return acceptAll(u) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Errorf("the source ended with %v", err)
		}
	})
	return o.Dir, out
}

// waitFor waits for an update that fits and returns how many came.
func waitFor(t *testing.T, updates <-chan Update, ok func(Update) bool) int {
	t.Helper()
	timeout := time.After(patience)
	var last Update
	for n := 1; ; n++ {
		select {
		case last = <-updates:
			if ok(last) {
				return n
			}
		case <-timeout:
			if last.Snapshot != nil {
				t.Fatalf("the last update is %s\n%s", describe(last), diag.Text(last.Diagnostics))
			}
			t.Fatal("there was no update")
		}
	}
}

func is(objects string) func(Update) bool {
	return func(u Update) bool { return describe(u) == objects }
}

// slow makes re-listing no help: what is seen is seen by watching.
func slow() Options { return Options{Relist: time.Hour} }

func TestWatchSeesWhatEditorsDo(t *testing.T) {
	dir, updates := watching(t, slow())
	start := time.Now()
	put(t, dir, "a.yaml", router("a", "a1.demo"))
	waitFor(t, updates, is("a=a1.demo"))

	put(t, dir, "a.yaml", router("a", "a2.demo")) // in place
	waitFor(t, updates, is("a=a2.demo"))

	put(t, dir, ".a.yaml.swp", router("a", "a3.demo")) // written beside, renamed over
	if err := os.Rename(filepath.Join(dir, ".a.yaml.swp"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, updates, is("a=a3.demo"))

	if err := os.Rename(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "a.yaml~")); err != nil { // backed up, written anew
		t.Fatal(err)
	}
	put(t, dir, "a.yaml", router("a", "a4.demo"))
	waitFor(t, updates, is("a=a4.demo"))

	put(t, dir, "new/folder/b.yaml", router("b", "b.demo"))
	waitFor(t, updates, is("a=a4.demo b=b.demo"))
	put(t, dir, "new/folder/b.yaml", router("b", "b2.demo"))
	waitFor(t, updates, is("a=a4.demo b=b2.demo"))
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "moved/folder/b.yaml", router("b", "b3.demo"))
	waitFor(t, updates, is("a=a4.demo b=b3.demo"))
	remove(t, dir, "a.yaml")
	waitFor(t, updates, is("b=b3.demo"))
	t.Logf("eight edits were seen in %v", time.Since(start))
}

func TestWatchIsNotStarvedByEdits(t *testing.T) {
	// So long that a busy machine does not pause by itself.
	dir, updates := watching(t, Options{Relist: time.Hour, Settle: time.Second, MaxSettle: 1100 * time.Millisecond})
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				put(t, dir, "a.yaml", router("a", fmt.Sprintf("a%d.demo", i)))
			}
		}
	}()
	for range 2 {
		waitFor(t, updates, func(u Update) bool { return len(u.Snapshot.MetaRouters) == 1 })
	}
	close(stop)
	<-done
}

func TestWatchSeesAFolderThatIsReplaced(t *testing.T) {
	dir, updates := watching(t, slow())
	put(t, dir, "a.yaml", router("a", "a1.demo"))
	waitFor(t, updates, is("a=a1.demo"))
	put(t, dir+".new", "a.yaml", router("a", "a2.demo"))
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	waitFor(t, updates, is("a=a2.demo"))
	put(t, dir, "a.yaml", router("a", "a3.demo"))
	waitFor(t, updates, is("a=a3.demo"))
}

func TestWatchSeesALinkThatIsTurned(t *testing.T) {
	base := t.TempDir()
	put(t, base, "one/a.yaml", router("a", "a1.demo"))
	put(t, base, "two/a.yaml", router("a", "a2.demo"))
	dir := filepath.Join(base, "config")
	if err := os.Symlink("one", dir); err != nil {
		t.Fatal(err)
	}
	o := slow()
	o.Dir = dir
	_, updates := watching(t, o)
	if err := os.Symlink("two", dir+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	waitFor(t, updates, is("a=a2.demo"))
	put(t, base, "two/a.yaml", router("a", "a3.demo"))
	waitFor(t, updates, is("a=a3.demo"))
}

func TestRelistSeesWhatTheWatchMissed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	elsewhere := filepath.Join(t.TempDir(), "a.yaml")
	put(t, filepath.Dir(elsewhere), "a.yaml", router("a", "a1.demo"))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	_, updates := watching(t, Options{Dir: dir, Relist: 20 * time.Millisecond})
	put(t, filepath.Dir(elsewhere), "a.yaml", router("a", "a2.demo"))
	waitFor(t, updates, is("a=a2.demo"))
}
