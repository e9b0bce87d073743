package dubbo

import (
	"os"
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/codec/codectest"
)

var captures = os.DirFS("testdata/captures")

func kit() codectest.Kit {
	return codectest.Kit{
		Protocol: New(),
		Captures: captures,
		Keys:     []string{"0", "1", "retries", "path", "dubbo", "timeout"},
		Speaks:   []string{"dubbo"},
		Feeds: map[string][]string{
			"attachment[interface]": {"interface"},
			"attachment[group]":     {"group"},
			"attachment[timeout]":   {codectest.Deadline},
		},
	}
}

func TestConformance(t *testing.T) { codectest.Run(t, kit()) }

// FuzzConformance is what the kit fuzzes; FuzzDecoder knows more of Dubbo.
func FuzzConformance(f *testing.F) { codectest.Fuzz(f, kit()) }

// TestCaptures checks what the kit cannot know: what the peers were doing.
func TestCaptures(t *testing.T) {
	all, err := codectest.LoadCaptures(captures)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Run(strings.TrimSuffix(c.Name, ".frames"), func(t *testing.T) { testCapture(t, c) })
	}
}

func testCapture(t *testing.T, c codectest.Capture) {
	kinds, pinned, methods := map[codec.Kind]int{}, 0, 0
	memos := map[uint64]uint64{}
	memo := func(id uint64) uint64 { return memos[id] }
	for _, f := range c.Frames {
		d, m := decoderOf(f.Side), new(codec.Message)
		if err := d.Next(f.Bytes, everything(t), memo, m); err != nil {
			t.Fatalf("line %d: %v", f.Line, err)
		}
		kinds[m.Kind]++
		if m.Pin == codec.Begin {
			pinned++
		}
		if Malformed(m) && !strings.HasPrefix(c.Name, "raw-") {
			t.Errorf("line %d: a %v is malformed", f.Line, m.Kind)
		}
		calls := f.Side == codec.FromClient && (m.Kind == codec.Request || m.Kind == codec.Oneway)
		if m.Unread != (calls && (Malformed(m) || !Readable(m.Variant))) {
			t.Errorf("line %d: a %v of variant %d is unread: %t", f.Line, m.Kind, m.Variant, m.Unread)
		}
		if f.Side == codec.FromServer || m.Kind != codec.Request && m.Kind != codec.Oneway || !Readable(m.Variant) {
			continue
		}
		memos[m.ID] = m.Memo
		if got := get(t, d, f.Bytes, m, "interface"); got != "org.aeraki.samples.HelloService" {
			t.Errorf("line %d: interface %q", f.Line, got)
		}
		if strings.HasPrefix(get(t, d, f.Bytes, m, "method"), "$invoke") {
			t.Errorf("line %d: the generic call's own method is not found", f.Line)
		}
		if old := strings.Contains(c.Name, "-old"); old == (m.Memo == memoAttachments) {
			t.Errorf("line %d: memo %d", f.Line, m.Memo)
		}
		methods++
	}
	for word, there := range map[string]bool{
		"-callback": pinned > 0 && kinds[codec.Push] > 0, "-oneway": kinds[codec.Oneway] > 0,
		"-heartbeat": kinds[codec.Heartbeat] > 0 && kinds[codec.HeartbeatReply] > 0,
		"-readonly":  kinds[codec.GoAway] > 0, "-calls": methods > 2,
	} {
		if strings.Contains(c.Name, word) && !there {
			t.Errorf("no%s among %v", word, kinds)
		}
	}
}
