package main

import (
	"bufio"
	"encoding/hex"
	"io"
	"sync"
	"time"
)

// pause is the time without bytes after which the same side begins a new line: one-way messages
// follow each other without an answer between.
const pause = 50 * time.Millisecond

// side is who sent a line's bytes.
type side byte

const (
	nobody     side = 0
	fromClient side = 'C'
	fromServer side = 'S'
)

// transcript writes the file; package main's comment has its format. Safe for both directions.
type transcript struct {
	now func() time.Time

	mu   sync.Mutex
	out  *bufio.Writer // keeps the first error until it is flushed
	who  side          // whose line is open
	last time.Time     // of the line's last bytes
}

func newTranscript(out io.Writer, now func() time.Time) *transcript {
	return &transcript{now: now, out: bufio.NewWriter(out)}
}

// comment writes a line of its own.
func (t *transcript) comment(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endLine()
	t.out.WriteString("# " + text + "\n")
}

// add appends bytes to the line of who, or begins one. It keeps nothing of b.
func (t *transcript) add(who side, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if who != t.who || now.Sub(t.last) >= pause {
		t.endLine()
		t.out.Write([]byte{byte(who), ' '})
		t.who = who
	}
	t.last = now
	t.out.WriteString(hex.EncodeToString(b))
}

// end completes the file and returns the first error of writing it.
func (t *transcript) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endLine()
	return t.out.Flush()
}

func (t *transcript) endLine() {
	if t.who != nobody {
		t.out.WriteByte('\n')
		t.who = nobody
	}
}
