package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/aeraki-mesh/aeraki/test/peers/thrift/gen/sample"
)

// reply is what a request brought, already judged.
type reply struct {
	text    string
	version string
}

// wrongReply is a well-formed reply that does not answer the request.
type wrongReply struct{ want, got string }

func (e *wrongReply) Error() string { return fmt.Sprintf("want %.80q, got %.80q", e.want, e.got) }

// method sends one request with a token in it and compares the reply.
type method struct {
	calculator bool
	oneway     bool // no reply
	call       func(ctx context.Context, c *caller, token string) (reply, error)
}

func methodNames() []string { return slices.Sorted(maps.Keys(methods())) }

func methods() map[string]method {
	return map[string]method{
		"sayHello": {call: sayHello},
		"echo":     {call: echo},
		"blob":     {call: blob},
		"store":    {call: store},
		"slow":     {call: slow},
		"fail":     {call: fail},
		"crash":    {call: crash},
		"missing":  {call: missing},
		"clear":    {call: clearAll},
		"notify":   {call: notify, oneway: true},
		"notified": {call: notified},
		"add":      {call: add, calculator: true},
		"whoami":   {call: whoami, calculator: true},
	}
}

// greeting judges "Hello WHOM from SERVER".
func greeting(got, whom string, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	start := "Hello " + whom + " from "
	server, ok := strings.CutPrefix(got, start)
	if !ok || server == "" {
		return reply{text: got}, &wrongReply{want: start, got: got}
	}
	return reply{text: got, version: server}, nil
}

func same(got, want string, err error) (reply, error) {
	if err == nil && got != want {
		err = &wrongReply{want: want, got: got}
	}
	return reply{text: got}, err
}

// padded returns token, lengthened to at least size bytes.
func padded(token string, size int) string {
	return token + strings.Repeat(".", max(0, size-len(token)))
}

func sayHello(ctx context.Context, c *caller, token string) (reply, error) {
	got, err := c.hello.SayHello(ctx, token)
	return greeting(got, token, err)
}

func echo(ctx context.Context, c *caller, token string) (reply, error) {
	want := padded(token, c.o.payload)
	got, err := c.hello.Echo(ctx, want)
	return same(got, want, err)
}

func blob(ctx context.Context, c *caller, token string) (reply, error) {
	// No valid UTF-8.
	want := append([]byte{0xff, 0x00, 0x80}, padded(token, c.o.payload-3)...)
	got, err := c.hello.Blob(ctx, want)
	if err == nil && !bytes.Equal(got, want) {
		err = &wrongReply{want: string(want), got: string(got)}
	}
	return reply{text: fmt.Sprintf("%d bytes", len(got))}, err
}

func store(ctx context.Context, c *caller, token string) (reply, error) {
	want := record(token)
	got, err := c.hello.Store(ctx, want)
	if err == nil {
		// Equals compares sets in their order, which a server need not keep.
		slices.Sort(got.Tags)
	}
	if err == nil && !want.Equals(got) {
		err = &wrongReply{want: want.String(), got: fmt.Sprint(got)}
	}
	return reply{text: fmt.Sprint(got)}, err
}

// record has a value of every type, the empty containers, and the ends of the number ranges.
func record(id string) *sample.Record {
	label, maybe := "Zürich 中文", false
	point := &sample.Point{X: 1.5, Y: math.Inf(-1), Label: &label}
	return &sample.Record{
		ID: id, Yes: true, Tiny: -128, Small: math.MinInt16, Middle: math.MaxInt32, Large: math.MinInt64,
		Ratio: 0.1, Raw: []byte{0, 1, 0xfe, 0xff}, Colour: sample.Colour_BLUE, Origin: point,
		Path:   []*sample.Point{point, {X: -0.5}, {}},
		Flags:  []bool{true, false, true},
		Tags:   []string{"b", "grün"},
		Counts: map[string]int32{"one": 1, "minus": -1},
		Index:  map[int32][]string{7: {"a", ""}, -7: {}},
		Nested: map[string]map[string]*sample.Point{"outer": {"inner": point}},
		None:   []string{}, Empty: map[string]bool{},
		Maybe: &maybe,
		// More than 14 elements: compact protocol's long list header.
		Numbers: []int64{0, 1, -1, 63, 64, -64, -65, 127, 128, 1 << 31, -1 << 31, 1 << 62, math.MaxInt64, math.MinInt64, 5, 6},
	}
}

func slow(ctx context.Context, c *caller, _ string) (reply, error) {
	got, err := c.hello.Slow(ctx, int32(c.o.millis))
	return greeting(got, strconv.Itoa(c.o.millis), err)
}

// fail is answered right by the declared exception.
func fail(ctx context.Context, c *caller, token string) (reply, error) {
	got, err := c.hello.Fail(ctx, token)
	var oops *sample.Oops
	if errors.As(err, &oops) {
		return same(oops.Why, token, nil)
	}
	if err == nil {
		err = &wrongReply{want: "Oops", got: got}
	}
	return reply{}, err
}

// crash is answered right by INTERNAL_ERROR with the token (Go) or with no text of the handler
// (Python); a proxy's local error has another text and counts as an error.
func crash(ctx context.Context, c *caller, token string) (reply, error) {
	got, err := c.hello.Crash(ctx, token)
	return expected(got, err, thrift.INTERNAL_ERROR, func(text string) bool {
		return text == "Internal error" || text == "Internal error processing crash: "+token
	})
}

// missing is answered right by UNKNOWN_METHOD.
func missing(ctx context.Context, c *caller, token string) (reply, error) {
	got, err := c.hello.Missing(ctx, token)
	return expected(got, err, thrift.UNKNOWN_METHOD, func(text string) bool {
		return strings.Contains(text, "missing")
	})
}

func expected(got string, err error, kind int32, right func(text string) bool) (reply, error) {
	var application thrift.TApplicationException
	if errors.As(err, &application) && application.TypeId() == kind && right(application.Error()) {
		return reply{text: application.Error()}, nil
	}
	if err == nil {
		err = &wrongReply{want: fmt.Sprintf("application exception %d", kind), got: got}
	}
	return reply{}, err
}

func clearAll(ctx context.Context, c *caller, _ string) (reply, error) {
	return reply{text: "done"}, c.hello.Clear(ctx)
}

func notify(ctx context.Context, c *caller, token string) (reply, error) {
	return reply{text: "sent"}, c.hello.Notify(ctx, token)
}

func notified(ctx context.Context, c *caller, _ string) (reply, error) {
	got, err := c.hello.Notified(ctx)
	return reply{text: strconv.FormatInt(got, 10)}, err
}

func add(ctx context.Context, c *caller, _ string) (reply, error) {
	a, b := rand.Int32N(1<<30), rand.Int32N(1<<30)
	got, err := c.calculator.Add(ctx, a, b)
	return same(strconv.Itoa(int(got)), strconv.Itoa(int(a+b)), err)
}

func whoami(ctx context.Context, c *caller, _ string) (reply, error) {
	got, err := c.calculator.Whoami(ctx)
	return greeting(got, "Calculator", err)
}
