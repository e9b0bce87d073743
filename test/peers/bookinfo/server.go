package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// maxInFlight is how many requests of one connection are worked on at once;
// further ones are not read.
const maxInFlight = 1024

var services = []string{"reviews", "ratings", "details"}

type serverOptions struct {
	listen    string
	name      string
	service   string
	ratings   string        // address
	delay     time.Duration // before every handler
	drain     time.Duration // how long a stop waits for requests under way
	timeout   time.Duration // of ratings
	countFile string
}

func parseServer(args []string, stderr io.Writer) (*serverOptions, error) {
	o := &serverOptions{}
	set := flag.NewFlagSet("bookinfo server", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.listen, "listen", "127.0.0.1:0", "address; port 0 takes a free one")
	set.StringVar(&o.name, "name", "v1", "the name in replies and counts; reviews v2 has black stars, v3 red ones")
	set.StringVar(&o.service, "service", "reviews", "reviews, ratings or details")
	set.StringVar(&o.ratings, "ratings", "", "address of ratings; without one reviews has no stars")
	set.DurationVar(&o.delay, "delay", 0, "wait this long before every handler")
	set.DurationVar(&o.drain, "drain", 10*time.Second, "at a stop, wait at most this long for requests under way")
	set.DurationVar(&o.timeout, "timeout", 5*time.Second, "of a reply of ratings")
	set.StringVar(&o.countFile, "count-file", "", "keep the counts in this file too")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	var problems []error
	if set.NArg() > 0 {
		problems = append(problems, fmt.Errorf("unexpected argument %q", set.Arg(0)))
	}
	if !slices.Contains(services, o.service) {
		problems = append(problems, fmt.Errorf("-service must be one of %v: %q", services, o.service))
	}
	if rated := o.service == "reviews" && stars[o.name] != ""; rated != (o.ratings != "") {
		problems = append(problems, fmt.Errorf("-ratings is for reviews v2 and v3, and they need it: -service %s -name %s", o.service, o.name))
	}
	if o.delay < 0 || o.drain < 0 || o.timeout <= 0 {
		problems = append(problems, errors.New("-delay and -drain must not be negative, -timeout must be positive"))
	}
	if !plain(o.name) {
		problems = append(problems, fmt.Errorf("-name must stand in a header: %q", o.name))
	}
	return o, errors.Join(problems...)
}

func runServer(args []string, stdout, stderr io.Writer) int {
	o, err := parseServer(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "bookinfo server:", err)
		}
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := serve(ctx, o, stdout, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "bookinfo server:", err)
		return 1
	}
	return 0
}

// serve answers requests until ctx is done, then finishes those under way and prints the counts.
func serve(ctx context.Context, o *serverOptions, stdout io.Writer, log *slog.Logger) error {
	socket, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	s := &server{o: o, log: log, counts: newCounts(o.name), shop: shop{service: o.service, name: o.name}, open: map[*net.TCPConn]bool{}}
	s.handling, s.abandon = context.WithCancel(context.Background())
	defer s.abandon()
	if o.ratings != "" {
		s.shop.ratings = &caller{target: o.ratings, timeout: o.timeout}
		defer s.shop.ratings.close()
	}
	stopFile, fileDone := make(chan struct{}), make(chan error, 1)
	go func() {
		if o.countFile == "" {
			fileDone <- nil
			return
		}
		fileDone <- s.counts.keepFile(o.countFile, stopFile)
	}()
	fmt.Fprintf(stdout, "LISTENING %s\n", socket.Addr())
	unhook := context.AfterFunc(ctx, func() { s.stop(socket) })
	defer unhook()
	err = s.accept(ctx, socket)
	s.finish()
	close(stopFile)
	err = errors.Join(err, <-fileDone)
	line, lineErr := s.counts.line()
	stdout.Write(line)
	return errors.Join(err, lineErr)
}

// server is the connections of one service.
type server struct {
	o      *serverOptions
	log    *slog.Logger
	counts *counts
	shop   shop
	conns  sync.WaitGroup

	handling context.Context // of all handlers; abandon ends it
	abandon  context.CancelFunc

	mu      sync.Mutex // guards what follows
	stopped bool
	open    map[*net.TCPConn]bool
}

func (s *server) accept(ctx context.Context, socket net.Listener) error {
	for {
		conn, err := socket.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			s.stop(socket)
			return err
		}
		s.counts.accepted()
		tcp := conn.(*net.TCPConn)
		s.mu.Lock()
		s.open[tcp] = true
		if s.stopped {
			tcp.CloseRead()
		}
		s.mu.Unlock()
		s.conns.Go(func() { s.connection(tcp) })
	}
}

// stop ends accepting and reading; what was read is still answered.
func (s *server) stop(socket net.Listener) {
	socket.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for c := range s.open {
		c.CloseRead()
	}
}

// finish waits for the connections, for as long as -drain allows.
func (s *server) finish() {
	hurry := time.AfterFunc(s.o.drain, func() {
		s.abandon()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.open {
			c.Close() // a write that blocks ends as well
		}
	})
	defer hurry.Stop()
	s.conns.Wait()
}

// connection answers the requests of one connection, all at once, each when
// it is done.
func (s *server) connection(c *net.TCPConn) {
	answers := &answers{conn: c}
	slots := make(chan struct{}, maxInFlight)
	var handlers sync.WaitGroup
	in := bufio.NewReader(c)
	for {
		m, err := readMessage(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
				s.log.Warn("connection given up", "client", c.RemoteAddr(), "cause", err)
			}
			break
		}
		slots <- struct{}{}
		handlers.Go(func() {
			defer func() { <-slots }()
			s.message(answers, m)
		})
	}
	handlers.Wait()
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	c.Close()
}

// message handles one message of a client.
func (s *server) message(out *answers, m *message) {
	switch m.kind {
	case kindPing:
		out.write(&message{kind: kindPong, id: m.id})
	case kindRequest, kindOneway:
		if method := m.header["method"]; slices.Contains(served, method) {
			s.counts.begin(method)
			defer s.counts.end()
		}
		if !sleep(s.handling, s.o.delay) {
			return
		}
		if reply := s.shop.handle(s.handling, m); m.kind == kindRequest {
			out.write(reply)
		}
	case kindReply:
		s.log.Warn("a reply from a client", "id", m.id)
	}
}

// answers writes replies, one after the other.
type answers struct {
	mu   sync.Mutex
	conn *net.TCPConn
}

// write closes the connection of a client that cannot be written to: its
// reading ends, and so does the connection.
func (a *answers) write(m *message) {
	b, err := appendMessage(nil, m)
	if err != nil { // the request's header, echoed, has become too long
		b, err = appendMessage(nil, &message{kind: kindReply, status: statusRefused, id: m.id, body: []byte(err.Error())})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		_, err = a.conn.Write(b)
	}
	if err != nil {
		a.conn.Close()
	}
}
