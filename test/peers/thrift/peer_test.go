package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/aeraki-mesh/aeraki/test/peers/thrift/gen/sample"
)

func TestEveryMethodOverEveryWire(t *testing.T) {
	for _, transport := range []string{"framed", "unframed", "header"} {
		for _, protocol := range []string{"binary", "compact"} {
			for _, multiplexed := range []bool{false, true} {
				w := wire{transport: transport, protocol: protocol, multiplexed: multiplexed}
				t.Run(fmt.Sprintf("%s-%s-multiplexed=%v", transport, protocol, multiplexed), func(t *testing.T) {
					names := methodNames()
					if !multiplexed {
						names = strings.Split("sayHello,echo,blob,store,slow,fail,crash,missing,clear,notify,notified", ",")
					}
					server := startServer(t, "-delay", "0ms", "-name", "v7", w.args())
					n := 4 * len(names)
					got := runClientOK(t, server.address, w.args(), "-payload", "9000",
						"-method", strings.Join(names, ","), "-n", fmt.Sprint(n))
					if got.Sent != int64(n) || got.ByVersion["v7"] == 0 {
						t.Errorf("client: %+v", got)
					}
					// The servers do not know missing: no handler, no count.
					tally := server.stop()
					if want := int64(n - 4); tally.Served != want || tally.Connections != 1 || tally.ByMethod["echo"] != 4 {
						t.Errorf("server: %+v, want %d served over 1 connection", tally, want)
					}
				})
			}
		}
	}
}

func TestHeadersReachTheServerAndComeBack(t *testing.T) {
	server := startServer(t, "-transport", "header")
	for _, args := range [][]string{nil, {"-protocol", "compact"}} {
		_, out := client(t, server.address, append(args, "-transport", "header", "-header", "user=jason", "-print")...)
		if !strings.Contains(out, "x-echo-user:jason x-served-by:v1") {
			t.Errorf("%v: got %s", args, out)
		}
	}
}

func TestStopFinishesRequestsAndClosesIdleConnections(t *testing.T) {
	for _, transport := range []string{"framed", "unframed", "header"} {
		t.Run(transport, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "counts")
			server := startServer(t, "-transport", transport, "-count-file", file)
			idle, err := net.Dial("tcp", server.address)
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			slow := make(chan result, 1)
			go func() {
				f, _ := client(t, server.address, "-transport", transport, "-method", "slow", "-millis", "700")
				slow <- f
			}()
			waitFor(t, "the request in the count file", func() bool { return readTally(file).ByMethod["slow"] == 1 })
			start := time.Now()
			tally := server.stop()
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("stop took %v: it waited for the idle connection until -drain ended", took)
			}
			if got := <-slow; got.OK != 1 {
				t.Errorf("request under way at the stop: %+v", got)
			}
			if rest, err := io.ReadAll(idle); err != nil || len(rest) > 0 {
				t.Errorf("idle connection read %q, %v; want its end", rest, err)
			}
			if inFile := readTally(file); inFile.Served != 1 || tally.Served != 1 {
				t.Errorf("file %+v, printed %+v; want one served", inFile, tally)
			}
		})
	}
}

// liar greets somebody else.
type liar struct{ *handler }

func (l liar) SayHello(_ context.Context, name string) (string, error) {
	return l.greet("not " + name), nil
}

func TestClientReportsRepliesOfOthers(t *testing.T) {
	socket, err := listen("127.0.0.1:0", newCounts("liar"))
	if err != nil {
		t.Fatal(err)
	}
	w := wire{transport: "framed", protocol: "binary"}
	server := thrift.NewTSimpleServer4(sample.NewHelloServiceProcessor(liar{&handler{name: "liar"}}), socket,
		w.transportFactory(w.config(0)), w.protocolFactory(w.config(0)))
	go server.Serve()
	defer server.Stop()
	got, _ := client(t, socket.tcp.Addr().String(), "-n", "3")
	if got.code != 1 || got.Wrong != 3 || got.OK != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestClientNeverSendsTwice(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var requests atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// One whole request, then the end.
			var size [4]byte
			io.ReadFull(conn, size[:])
			io.CopyN(io.Discard, conn, int64(size[2])<<8|int64(size[3]))
			requests.Add(1)
			conn.Close()
		}
	}()
	got, _ := client(t, listener.Addr().String(), "-n", "5")
	if got.code != 1 || got.Sent != 5 || got.Errors["EOF"] != 5 {
		t.Errorf("got %+v", got)
	}
	if requests.Load() != 5 {
		t.Errorf("server got %d requests, want 5", requests.Load())
	}
}

func TestClientGivesUpAfterItsTimeout(t *testing.T) {
	server := startServer(t, "-delay", "400ms")
	got, _ := client(t, server.address, "-timeout", "50ms")
	if got.code != 1 || got.Errors["timeout"] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestRateIsKept(t *testing.T) {
	server := startServer(t)
	start := time.Now()
	got := runClientOK(t, server.address, "-n", "100", "-rate", "500", "-connections", "4")
	// 25 requests of a connection are 24 intervals of 8 ms.
	if took := time.Since(start); took < 190*time.Millisecond {
		t.Errorf("took %v: faster than the rate; %+v", took, got)
	}
}

func TestHistogramIsExactToThreePercent(t *testing.T) {
	for us := int64(0); us < 1e9; us += 1 + us/7 {
		var h histogram
		h.add(time.Duration(us) * time.Microsecond)
		if got := h.quantile(0.99); got > us || float64(got) < 0.968*float64(us) {
			t.Fatalf("%d µs became %d", us, got)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range []string{
		"", "nope", "server -transport http", "server -protocol json", "server -service X", "server extra",
		"client", "client -target x:1 -method sayHello,nope", "client -target x:1 -connections 0",
		"client -target x:1 -header a=b", "client -target x:1 -transport header -header a", "client -target x:1 -rate -1",
	} {
		var errors bytes.Buffer
		if code := run(strings.Fields(args), io.Discard, &errors); code != 2 || errors.Len() == 0 {
			t.Errorf("%q: code %d, stderr %q; want 2 and a reason", args, code, &errors)
		}
	}
}

func (w wire) args() string {
	s := "-transport " + w.transport + " -protocol " + w.protocol
	if w.multiplexed {
		s += " -multiplexed"
	}
	return s
}

type server struct {
	address string
	stop    func() tally
}

// startServer runs the server role in this process; arguments may hold several, between spaces.
func startServer(t *testing.T, args ...string) server {
	t.Helper()
	o, err := parseServer(strings.Fields(strings.Join(args, " ")), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := serve(ctx, o, in)
		in.CloseWithError(io.EOF)
		done <- err
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		cancel()
		t.Fatalf("no first line: %v", <-done)
	}
	stopped := false
	stop := func() (last tally) {
		cancel()
		if stopped {
			return last
		}
		stopped = true
		lines.Scan()
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Errorf("last line %q: %v", lines.Bytes(), err)
		}
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
		return last
	}
	t.Cleanup(func() { stop() })
	return server{address: strings.TrimPrefix(lines.Text(), "LISTENING "), stop: stop}
}

type result struct {
	figures
	code int
}

// client runs the client role and returns its last line and all that it printed.
func client(t *testing.T, address string, args ...string) (result, string) {
	t.Helper()
	var stdout bytes.Buffer
	all := append([]string{"client", "-target", address}, strings.Fields(strings.Join(args, " "))...)
	code := run(all, &stdout, t.Output())
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	r := result{code: code}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r.figures); err != nil {
		t.Errorf("client %v printed %q: %v", args, stdout.String(), err)
	}
	return r, stdout.String()
}

func runClientOK(t *testing.T, address string, args ...string) figures {
	t.Helper()
	r, out := client(t, address, args...)
	if r.code != 0 || r.OK != r.Sent {
		t.Fatalf("client %v: code %d, printed %s", args, r.code, out)
	}
	return r.figures
}

// readTally returns the zero tally when there is no file yet.
func readTally(path string) (c tally) {
	if b, err := os.ReadFile(path); err == nil {
		json.Unmarshal(b, &c)
	}
	return c
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
