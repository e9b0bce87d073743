package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestEveryServiceAndMethod(t *testing.T) {
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			server := startServer(t, "-service", service, "-name", "v7")
			got := runClientOK(t, server.address, "-service", service, "-payload", "200000",
				"-method", strings.Join(callable, ","), "-n", fmt.Sprint(4*len(callable)))
			if got.Sent != int64(4*len(callable)) || got.ByVersion["v7"] != 4*4 {
				t.Errorf("client: %+v", got)
			}
			// The servers do not know missing, and one-way messages need not have come yet: at the stop they have.
			if tally := server.stop(); tally.Served != 4*4 || tally.Connections != 1 || tally.ByMethod["echo"] != 4 || tally.ByMethod["notify"] != 4 {
				t.Errorf("server: %+v", tally)
			}
		})
	}
}

func TestVersionsOfReviewsDifferInTheirStars(t *testing.T) {
	ratings := startServer(t, "-service", "ratings")
	for _, c := range []struct{ name, flags, color string }{
		{"v1", "", ""}, {"v2", "-ratings " + ratings.address, "black"}, {"v3", "-ratings " + ratings.address, "red"},
	} {
		reviews := startServer(t, "-name", c.name, c.flags)
		r, out := client(t, reviews.address, "-print", "-user", "jason")
		if r.OK != 1 || strings.Contains(out, "color") != (c.color != "") || !strings.Contains(out, c.color) {
			t.Errorf("%s: %s", c.name, out)
		}
	}
	if tally := ratings.stop(); tally.Served != 2 {
		t.Errorf("ratings: %+v", tally)
	}
}

func TestReviewsWithoutTheirRatingsFail(t *testing.T) {
	ratings := startServer(t, "-service", "ratings")
	reviews := startServer(t, "-name", "v2", "-ratings", ratings.address)
	ratings.stop()
	r, _ := client(t, reviews.address)
	if r.code != 1 || r.Errors["failed: ratings: connection refused"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestUserAndHeadersReachTheServer(t *testing.T) {
	server := startServer(t)
	_, out := client(t, server.address, "-user", "jason", "-header", "region=eu", "-print")
	if !strings.Contains(out, `"echo-region":"eu","echo-user":"jason"`) {
		t.Error(out)
	}
	if _, out := client(t, server.address, "-print"); strings.Contains(out, "user") {
		t.Error("a user without -user:", out)
	}
}

// talk writes bytes to a server and returns the connection and a reader of it.
func talk(t *testing.T, address string, messages ...*message) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var b []byte
	for _, m := range messages {
		if b, err = appendMessage(b, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func TestServerWorksOnAllRequestsOfAConnectionAtOnce(t *testing.T) {
	server := startServer(t, "-delay", "200ms")
	var all []*message
	for id := range uint32(20) {
		all = append(all, &message{kind: kindRequest, id: id, header: map[string]string{"service": "reviews", "method": "echo"}})
	}
	// A ping in between is answered before what is slow.
	all = append(all, &message{kind: kindPing, id: 77})
	_, in := talk(t, server.address, all...)
	var ids []uint32
	for i := range all {
		m, err := readMessage(in)
		if err != nil {
			t.Fatal(err)
		}
		if pong := m.kind == kindPong; pong != (i == 0) {
			t.Fatalf("message %d is %+v", i, m)
		}
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	if want := uint32(19); len(slices.Compact(ids)) != 21 || ids[19] != want || ids[20] != 77 {
		t.Errorf("ids %v", ids)
	}
	if tally := server.stop(); tally.MaxInFlight != 20 {
		t.Errorf("%+v, want 20 in flight", tally)
	}
}

func TestNonsenseClosesTheConnection(t *testing.T) {
	server := startServer(t)
	for _, nonsense := range []string{
		"GET / HTTP/1.1\r\n\r\n", "AWSM\x05\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00",
		"AWSM\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00[]", "AWSM\x00\x00\x00\x02\x00\x00\x00\x01\xff\xff\xff\xff{}",
		"AWSM\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x00{\"\\u0061\":\"bcd\"}",
	} {
		c, in := talk(t, server.address)
		if _, err := c.Write([]byte(nonsense)); err != nil {
			t.Fatal(err)
		}
		if b, err := in.ReadByte(); err == nil {
			t.Errorf("%q: answered with %q", nonsense, b)
		} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("%q: the connection stays", nonsense)
		}
	}
	runClientOK(t, server.address)
}

func TestStopFinishesRequestsAndClosesIdleConnections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	server := startServer(t, "-count-file", file, "-delay", "500ms")
	_, idle := talk(t, server.address)
	slow := make(chan result, 1)
	go func() {
		f, _ := client(t, server.address)
		slow <- f
	}()
	waitFor(t, "the request in the count file", func() bool { return readTally(file).ByMethod["get"] == 1 })
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
}

func TestStopWaitsNoLongerThanDrain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	server := startServer(t, "-delay", "20s", "-drain", "50ms", "-count-file", file)
	_, in := talk(t, server.address, &message{kind: kindRequest, header: map[string]string{"service": "reviews", "method": "get"}})
	waitFor(t, "the request in the count file", func() bool { return readTally(file).Served == 1 })
	start := time.Now()
	server.stop()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("stop took %v", took)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("a request that was given up was answered")
	}
}

// fakeServer answers every request by what reply makes of it, nil: by its end.
func fakeServer(t *testing.T, reply func(m *message) *message) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	answer := func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			m, err := readMessage(in)
			if err != nil {
				return
			}
			r := reply(m)
			if r == nil {
				return
			}
			b, err := appendMessage(nil, r)
			if err != nil {
				t.Error(err)
			}
			c.Write(b)
		}
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	return listener.Addr().String()
}

func TestClientReportsWrongReplies(t *testing.T) {
	honest := shop{service: "reviews", name: "v1"}
	for name, lie := range map[string]func(r *message){
		"id":      func(r *message) { r.id += 1000 },
		"token":   func(r *message) { r.header["token"] = "book#other" },
		"service": func(r *message) { r.header["service"] = "details" },
		"body":    func(r *message) { r.body = []byte(strings.Replace(string(r.body), "book#", "bock#", 1)) },
		"stars":   func(r *message) { r.header["server"] = "v2" },
	} {
		target := fakeServer(t, func(m *message) *message {
			r := honest.handle(context.Background(), m)
			lie(r)
			return r
		})
		if got, _ := client(t, target, "-n", "3"); got.code != 1 || got.Wrong != 3 || got.OK != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAProxysOwnAnswerIsAnErrorWhateverTheMethod(t *testing.T) {
	target := fakeServer(t, func(m *message) *message {
		return &message{kind: kindReply, status: statusRefused, id: m.id, header: map[string]string{"error": "no route"}, body: []byte("no route matches")}
	})
	got, _ := client(t, target, "-method", "get,missing,fail", "-n", "3")
	if got.code != 1 || got.Errors["refused: no route matches"] != 3 {
		t.Errorf("%+v", got)
	}
}

func TestClientAnswersPings(t *testing.T) {
	pongs := make(chan uint32, 1)
	honest := shop{service: "reviews", name: "v1"}
	var asked *message
	target := fakeServer(t, func(m *message) *message {
		if m.kind == kindPong {
			pongs <- m.id
			return honest.handle(context.Background(), asked)
		}
		asked = m
		return &message{kind: kindPing, id: 9}
	})
	runClientOK(t, target)
	if id := <-pongs; id != 9 {
		t.Errorf("pong %d", id)
	}
}

func TestClientNeverSendsTwice(t *testing.T) {
	var requests atomic.Int64
	target := fakeServer(t, func(*message) *message { requests.Add(1); return nil })
	got, _ := client(t, target, "-n", "5")
	if got.code != 1 || got.Sent != 5 || got.Errors["EOF"] != 5 || requests.Load() != 5 {
		t.Errorf("got %+v, server got %d requests", got, requests.Load())
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

func TestIntervalsAddUp(t *testing.T) {
	server := startServer(t)
	_, out := client(t, server.address, "-n", "200", "-rate", "1000", "-stats", "20ms")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum int64
	var last intervalFigures
	for _, line := range lines[:len(lines)-1] {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatal(err)
		}
		sum += last.Sent
	}
	if len(lines) < 3 || sum == 0 || sum != last.TotalSent {
		t.Errorf("the intervals' sum is %d: %s", sum, out)
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range []string{
		"", "nope", "server -service productpage", "server extra", "server -name v2", "server -ratings x:1",
		"client", "client -target x:1 -method get,nope", "client -target x:1 -connections 0",
		"client -target x:1 -header a", "client -target x:1 -rate -1", `client -target x:1 -user "`,
	} {
		var errors bytes.Buffer
		if code := run(strings.Fields(args), io.Discard, &errors); code != 2 || errors.Len() == 0 {
			t.Errorf("%q: code %d, stderr %q; want 2 and a reason", args, code, &errors)
		}
	}
}

type peer struct {
	address string
	stop    func() tally
}

// startServer runs the server role in this process; arguments may hold several, between spaces.
func startServer(t *testing.T, args ...string) peer {
	t.Helper()
	o, err := parseServer(strings.Fields(strings.Join(args, " ")), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := serve(ctx, o, in, slog.New(slog.NewTextHandler(t.Output(), nil)))
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
	return peer{address: strings.TrimPrefix(lines.Text(), "LISTENING "), stop: stop}
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
