package codectest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aeraki-mesh/aeraki/codec"
)

// captures are two conversations of the tiny protocol: request, reply,
// one-way, application error, heartbeat.
func captures() fstest.MapFS {
	text := "# origin: by hand\n" +
		"C " + hexOf(tinyMessage(tinyRequest, 7, "hello;user=jason", "world, this is a body")) + "\n" +
		"S " + hexOf(tinyMessage(tinyReply, 7, "hello", "fine")) + "\n" +
		"C " + hexOf(tinyMessage(tinyOneway, 8, "log;trace=on", "")) +
		hexOf(tinyMessage(tinyOneway, 18, "log", "twice in a line")) + "\n" +
		"S " + hexOf(tinyMessage(tinyError, 9, "hello", "broken")) + "\n" +
		"C " + hexOf(tinyMessage(tinyHeartbeat, 10, "", "")) + "\n"
	return fstest.MapFS{"talk.frames": {Data: []byte(text)}}
}

func hexOf(b []byte) string { return fmt.Sprintf("%x", b) }

// failures runs the kit, or only one check, and returns the names of the
// checks that failed, with their reports.
func failures(t *testing.T, p codec.Protocol, only string, patience time.Duration) map[string]string {
	t.Helper()
	k := Kit{Protocol: p, Captures: captures(), Keys: []string{"user"}}
	c, err := LoadCaptures(k.Captures)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]string{}
	for _, check := range checks {
		if only != "" && check.name != only {
			continue
		}
		s := newSuite(k, c)
		var mu sync.Mutex
		s.report = func(format string, args ...any) {
			mu.Lock()
			failed[check.name] += fmt.Sprintf(format, args...) + "\n"
			mu.Unlock()
		}
		s.log = t.Logf
		s.guard(check.run, patience)
	}
	return failed
}

func TestAGoodCodecPasses(t *testing.T) {
	for name, report := range failures(t, &tiny{}, "", patience) {
		t.Errorf("%s: %s", name, report)
	}
}

// Each way to be wrong is found by the check that is there for it.
func TestBrokenCodecsAreFound(t *testing.T) {
	for _, c := range []struct {
		broken tiny
		check  string
		report string
	}{
		{tiny{rescans: true}, "split", "byte by byte"},
		{tiny{slow: true}, "split", "are looked at"},
		{tiny{keeps: true}, "split", "instead of"},
		{tiny{headShort: true}, "whole", "from its head"},
		{tiny{sizeWrong: true}, "whole", "Size is"},
		{tiny{noLimit: true}, "limits", "asks for"},
		{tiny{lateLimit: true}, "limits", "asks for more"},
		{tiny{allocates: true}, "hostile lengths", "are allocated"},
		{tiny{panics: true}, "hostile lengths", "panic"},
		{tiny{panics: true}, "random bytes", "panic"},
		{tiny{wholeDiffers: true}, "random bytes", "in pieces"},
		{tiny{loses: true}, "stream", "as a stream"},
		{tiny{idShort: true}, "numbers", "reads back"},
		{tiny{idSpills: true}, "numbers", "with id"},
		{tiny{replyID: true}, "local replies", "instead of"},
		{tiny{replyOK: true}, "local replies", "of status"},
		{tiny{beats: true}, "heartbeats", "is decoded to"},
		{tiny{away: true}, "go away", "is decoded to"},
		{tiny{mutatesLength: true}, "mutation", "and a size of"},
		{tiny{wraps: true}, "mutation", "and a size of"},
		{tiny{injects: true}, "mutation", "instead of"},
		{tiny{disorders: true}, "mutation", "instead of"},
		{tiny{twoNames: true}, "mutation", "under two names"},
		{tiny{copiesID: true}, "mutation", "between Mutate and the copy"},
		{tiny{stages: true}, "growth", "leaves Scan where it is"},
		{tiny{remembers: true}, "whole", "a second time"},
		{tiny{wantedFirst: true}, "wanted", "properties wanted"},
		{tiny{quotes: true}, "local replies", "is not decoded"},
		{tiny{mutatesNothing: true}, "mutation", "instead of"},
		{tiny{garbage: true}, "allocations", "allocations to"},
		{tiny{sniffsAll: true}, "sniffing", "are taken for"},
		{tiny{sniffsNone: true}, "sniffing", "verdict"},
		{tiny{misnamed: true}, "description", "is not lower-case"},
		{tiny{wantsAll: true}, "wanted", "wanting"},
	} {
		t.Run(strings.ReplaceAll(c.check+" "+c.report, " ", "_"), func(t *testing.T) {
			failed := failures(t, &c.broken, c.check, patience)
			if !strings.Contains(failed[c.check], c.report) {
				t.Errorf("%+v: %q is not reported by %s:\n%v", c.broken, c.report, c.check, failed)
			}
		})
	}
}

func TestAnEndlessLoopIsFound(t *testing.T) {
	var stop atomic.Bool
	defer stop.Store(true)
	failed := failures(t, &tiny{loops: &stop}, "hostile lengths", 50*time.Millisecond)
	if !strings.Contains(failed["hostile lengths"], "no end after") {
		t.Errorf("%v", failed)
	}
}

func TestCapturesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"C 0g":          "invalid byte",
		"X 00":          "a line is C or S",
		"C":             "has no bytes",
		"# only words":  "holds no message",
		"C 00\n\nS 000": "a.frames:3",
	} {
		_, err := LoadCaptures(fstest.MapFS{"a.frames": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := LoadCaptures(fstest.MapFS{}); err == nil {
		t.Error("no file at all is no error")
	}
}

func TestCapturesThatAreNotDecoded(t *testing.T) {
	c, err := LoadCaptures(fstest.MapFS{"a.frames": {Data: []byte("C 0000")}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSuite(Kit{Protocol: &tiny{}}, c)
	reported := ""
	s.report = func(format string, args ...any) { reported = fmt.Sprintf(format, args...) }
	s.guard((*suite).checkWhole, patience)
	if !strings.Contains(reported, "a.frames:1: the captured message is not decoded") {
		t.Errorf("%q", reported)
	}
}

func FuzzTiny(f *testing.F) { Fuzz(f, Kit{Protocol: &tiny{}, Captures: captures()}) }
