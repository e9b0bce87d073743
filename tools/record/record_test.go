package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTranscriptBeginsALineAtATurnAndAfterAPause(t *testing.T) {
	type step struct {
		after time.Duration
		who   side
		bytes string
	}
	tests := map[string]struct {
		steps []step
		want  string
	}{
		"a message in pieces":     {[]step{{0, fromClient, "a"}, {pause - 1, fromClient, "b"}}, "C 6162\n"},
		"a turn":                  {[]step{{0, fromClient, "a"}, {0, fromServer, "b"}, {0, fromClient, "c"}}, "C 61\nS 62\nC 63\n"},
		"a pause between one-way": {[]step{{0, fromClient, "a"}, {pause, fromClient, "b"}}, "C 61\nC 62\n"},
		"nothing":                 {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			var out strings.Builder
			transcript := newTranscript(&out, func() time.Time { return now })
			for _, s := range test.steps {
				now = now.Add(s.after)
				transcript.add(s.who, []byte(s.bytes))
			}
			if err := transcript.end(); err != nil {
				t.Fatal(err)
			}
			if out.String() != test.want {
				t.Errorf("got %q, want %q", out.String(), test.want)
			}
		})
	}
}

func TestRecordRelaysAndWritesOneConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.frames")
	address, wait := start(t, context.Background(), options{to: echoServer(t), out: file, origin: "test", called: "echo", once: true})

	conn := dial(t, address)
	for _, message := range []string{"one", "two"} {
		exchange(t, conn, message)
	}
	conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Fatalf("after half-close got %q, %v; want the end", rest, err)
	}
	conn.Close()
	if err := wait(); err != nil {
		t.Fatal(err)
	}

	got := read(t, file)
	want := "# origin: test\n# date: 1970-01-01\n# called: echo\n" +
		"C 6f6e65\nS 6f6e65\nC 74776f\nS 74776f\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRecordEndsAtASignalWithConnectionsOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.frames")
	ctx, cancel := context.WithCancel(context.Background())
	address, wait := start(t, ctx, options{to: echoServer(t), out: file, origin: "test"})

	first := dial(t, address)
	exchange(t, first, "a")
	first.Close()
	second := dial(t, address)
	exchange(t, second, "b")
	cancel()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); !strings.HasSuffix(got, "C 61\nS 61\n# connection 2\nC 62\nS 62\n") {
		t.Errorf("got\n%s", got)
	}
}

// start runs record and returns its address, and a function that waits for its end.
func start(t *testing.T, ctx context.Context, o options) (address string, wait func() error) {
	t.Helper()
	o.listen = "127.0.0.1:0"
	o.now = func() time.Time { return time.Unix(0, 0) }
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := record(ctx, o, in)
		in.CloseWithError(io.EOF)
		done <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("no address: %v, %v", err, <-done)
	}
	ended := false
	wait = func() error {
		ended = true
		return <-done
	}
	t.Cleanup(func() {
		cancel()
		if !ended {
			<-done
		}
	})
	return strings.TrimSpace(strings.TrimPrefix(line, "LISTENING ")), wait
}

// echoServer sends back what it reads, on every connection, until the test ends.
func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func exchange(t *testing.T, conn net.Conn, message string) {
	t.Helper()
	if _, err := io.WriteString(conn, message); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(message))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != message {
		t.Fatalf("got %q, %v; want %q", got, err, message)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
