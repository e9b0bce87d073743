package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"dubbo.apache.org/dubbo-go/v3/protocol/dubbo/hessian2"
	hessian "github.com/apache/dubbo-go-hessian2"
)

// reply is what a request brought, already judged.
type reply struct {
	text    string
	version string
}

// wrongReply is a well-formed reply that does not answer the request.
type wrongReply struct{ want, got string }

func (e *wrongReply) Error() string { return fmt.Sprintf("want %.80q, got %.80q", e.want, e.got) }

// method sends one request with its token in it and compares the reply.
type method struct {
	call func(q *request) (reply, error)
}

func methodNames() []string { return slices.Sorted(maps.Keys(methods())) }

func methods() map[string]method {
	return map[string]method{
		"sayHello": {sayHello},
		"greet":    {greet},
		"echo":     {echo},
		"later":    {later},
		"slow":     {slow},
		"fail":     {fail},
		"crash":    {crash},
		"missing":  {missing},
		"nothing":  {nothing},
		"pojo":     {pojo},
		"blob":     {blob},
		"notify":   {notify},
		"notified": {notified},
	}
}

const javaString = "java.lang.String"

// genericArgs returns the arguments of $invoke.
func genericArgs(method string, types []string, args []any) []any {
	objects := make([]hessian.Object, len(args))
	for i, a := range args {
		objects[i] = a
	}
	return []any{method, types, objects}
}

// greeting judges "Hello WHOM from SERVER".
func greeting(q *request, method string, types []string, args []any, whom string) (reply, error) {
	var got string
	err := q.invoke(method, types, args, &got)
	if err != nil || q.c.o.oneway {
		return reply{}, err
	}
	start := "Hello " + whom + " from "
	server, ok := strings.CutPrefix(got, start)
	if !ok || server == "" {
		return reply{text: got}, &wrongReply{want: start, got: got}
	}
	return reply{text: got, version: server}, nil
}

func same(got, want string) (reply, error) {
	if got != want {
		return reply{text: got}, &wrongReply{want: want, got: got}
	}
	return reply{text: got}, nil
}

// text returns the token, lengthened to at least the payload's size.
func (q *request) text() string {
	return q.token + strings.Repeat(".", max(0, q.c.o.payload-len(q.token)))
}

func sayHello(q *request) (reply, error) {
	text := q.text()
	return greeting(q, "sayHello", []string{javaString}, []any{text}, text)
}

func later(q *request) (reply, error) {
	text := q.text()
	return greeting(q, "later", []string{javaString}, []any{text}, text)
}

func greet(q *request) (reply, error) {
	text := q.text()
	return greeting(q, "greet", []string{javaString, "int"}, []any{text, int32(q.c.o.number)}, text)
}

func slow(q *request) (reply, error) {
	return greeting(q, "slow", []string{"int"}, []any{int32(q.c.o.number)}, strconv.Itoa(q.c.o.number))
}

func echo(q *request) (reply, error) {
	var got string
	want := q.text()
	if err := q.invoke("echo", []string{javaString}, []any{want}, &got); err != nil || q.c.o.oneway {
		return reply{}, err
	}
	return same(got, want)
}

func blob(q *request) (reply, error) {
	// No valid UTF-8.
	want := append([]byte{0xff, 0x00, 0x80}, q.text()...)
	var got []byte
	if err := q.invoke("blob", []string{"byte[]"}, []any{want}, &got); err != nil || q.c.o.oneway {
		return reply{}, err
	}
	if !bytes.Equal(got, want) {
		return reply{}, &wrongReply{want: string(want), got: string(got)}
	}
	return reply{text: fmt.Sprintf("%d bytes", len(got))}, nil
}

// fail is answered right by the declared exception with the token.
func fail(q *request) (reply, error) {
	return exception(q, "fail", "org.aeraki.samples.HelloException")
}

// crash is answered right by a RuntimeException with the token.
func crash(q *request) (reply, error) { return exception(q, "crash", "java.lang.RuntimeException") }

func exception(q *request, method, class string) (reply, error) {
	var got string
	err := q.invoke(method, []string{javaString}, []any{q.text()}, &got)
	if err == nil && q.c.o.oneway {
		return reply{}, nil
	}
	if err == nil {
		return reply{text: got}, &wrongReply{want: class, got: got}
	}
	var thrown *hessian2.GenericException
	if !errors.As(err, &thrown) {
		return reply{}, err
	}
	// $invoke wraps what the method threw.
	if thrown.ExceptionClass != class && !q.c.o.generic || !strings.Contains(thrown.ExceptionMessage, q.token) {
		return reply{}, &wrongReply{want: class + " " + q.token, got: err.Error()}
	}
	return reply{text: fmt.Sprintf("%T: %v", err, err)}, nil
}

// missing is a method that the interface does not have; whatever comes counts as an error.
func missing(q *request) (reply, error) {
	var got string
	err := q.invoke("missing", []string{javaString}, []any{q.text()}, &got)
	return reply{text: got}, err
}

func nothing(q *request) (reply, error) {
	var got any
	if err := q.invoke("nothing", nil, nil, &got); err != nil || q.c.o.oneway {
		return reply{}, err
	}
	if got != nil {
		return reply{}, &wrongReply{want: "null", got: fmt.Sprint(got)}
	}
	return reply{text: "null"}, nil
}

func notify(q *request) (reply, error) {
	var got any
	return reply{text: "sent"}, q.invoke("notify", []string{javaString}, []any{q.text()}, &got)
}

func notified(q *request) (reply, error) {
	var got int64
	err := q.invoke("notified", nil, nil, &got)
	return reply{text: strconv.FormatInt(got, 10)}, err
}

func pojo(q *request) (reply, error) {
	want := record(q.text())
	if q.c.o.generic {
		return genericPojo(q, want)
	}
	got := new(Record)
	if err := q.invoke("pojo", []string{want.JavaClassName()}, []any{want}, got); err != nil || q.c.o.oneway {
		return reply{}, err
	}
	server := got.Server
	got.Server = ""
	if got.When.Equal(want.When) {
		got.When = want.When
	}
	if !reflect.DeepEqual(got, want) {
		return reply{}, &wrongReply{want: fmt.Sprintf("%+v", want), got: fmt.Sprintf("%+v", got)}
	}
	return reply{text: got.Id, version: server}, nil
}

// genericPojo sends the record as the map that $invoke makes of objects, and gets one.
func genericPojo(q *request, r *Record) (reply, error) {
	in := map[any]any{"class": r.JavaClassName(), "id": r.Id, "number": r.Number, "big": r.Big, "yes": r.Yes}
	var got any
	if err := q.invoke("pojo", []string{r.JavaClassName()}, []any{in}, &got); err != nil {
		return reply{}, err
	}
	m, ok := got.(map[any]any)
	if !ok || m["id"] != r.Id {
		return reply{}, &wrongReply{want: r.Id, got: fmt.Sprint(got)}
	}
	server, _ := m["server"].(string)
	return reply{text: fmt.Sprint(got), version: server}, nil
}

// record has a value of every kind and the ends of the number ranges.
func record(id string) *Record {
	origin := &Point{X: 1.5, Y: -0.25, Label: "Zürich 中文"}
	return &Record{
		Id: id, Number: math.MinInt32, Big: math.MaxInt64, Ratio: 0.1, Yes: true,
		When: time.UnixMilli(1_700_000_000_123), Raw: []byte{0, 1, 0xfe, 0xff},
		Tags: []string{"grün", ""}, Counts: map[string]int32{"one": 1, "minus": -1},
		Origin: origin, Path: []*Point{origin, {X: 2, Label: "b"}},
	}
}
