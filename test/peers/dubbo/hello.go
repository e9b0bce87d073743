package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common/constant"
	hessian "github.com/apache/dubbo-go-hessian2"
	"github.com/apache/dubbo-go-hessian2/java_exception"
)

// helloInterface is the Java interface that all Dubbo peers serve and call.
const helloInterface = "org.aeraki.samples.HelloService"

// Attachments that a provider adds to its replies, where the versions of both sides allow any: who
// served, and every attachment of the request whose name starts with echoed, as it arrived.
const (
	servedBy = "served-by"
	echoed   = "x-"
	echoedAs = "echo-x-"
)

// Point is org.aeraki.samples.Point.
type Point struct {
	X, Y  float64
	Label string
}

// JavaClassName implements hessian.POJO.
func (*Point) JavaClassName() string { return "org.aeraki.samples.Point" }

// Record is org.aeraki.samples.Record: a value of every kind that Java programs put in theirs.
type Record struct {
	Id     string // not ID: the library derives Java's name from it
	Number int32
	Big    int64
	Ratio  float64
	Yes    bool
	When   time.Time
	Raw    []byte
	Tags   []string
	Counts map[string]int32
	Origin *Point
	Path   []*Point
	None   *Point
	Server string // set by the provider
}

// JavaClassName implements hessian.POJO.
func (*Record) JavaClassName() string { return "org.aeraki.samples.Record" }

// HelloException is org.aeraki.samples.HelloException, the exception that fail declares.
type HelloException struct {
	SerialVersionUID     int64
	DetailMessage        string
	SuppressedExceptions []java_exception.Throwabler
	StackTrace           []java_exception.StackTraceElement
	Cause                java_exception.Throwabler
	Code                 int32
}

// Error implements error.
func (e HelloException) Error() string { return e.DetailMessage }

// JavaClassName implements hessian.POJO.
func (HelloException) JavaClassName() string { return "org.aeraki.samples.HelloException" }

// GetStackTrace implements java_exception.Throwabler.
func (e HelloException) GetStackTrace() []java_exception.StackTraceElement { return e.StackTrace }

func registerTypes() {
	hessian.RegisterPOJO(&Point{})
	hessian.RegisterPOJO(&Record{})
	hessian.RegisterPOJO(&HelloException{})
}

// HelloService serves the interface; the library finds the methods by reflection, in Java's spelling
// (first letter small).
type HelloService struct {
	name     string
	delay    time.Duration
	counts   *counts
	notified atomic.Int64
}

// begin counts a request, waits the delay and marks the reply; call what it returns at the end.
func (h *HelloService) begin(ctx context.Context, method string) func() {
	h.counts.begin(method)
	time.Sleep(h.delay)
	// The library answers with the request's attachments, in this very map.
	if a, ok := ctx.Value(constant.AttachmentKey).(map[string]any); ok {
		for k, v := range a {
			if name, ok := cutPrefix(k, echoed); ok {
				a[echoedAs+name] = v
			}
		}
		a[servedBy] = h.name
	}
	return h.counts.end
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// SayHello answers "Hello NAME from SERVER".
func (h *HelloService) SayHello(ctx context.Context, name string) (string, error) {
	defer h.begin(ctx, "sayHello")()
	return fmt.Sprintf("Hello %s from %s", name, h.name), nil
}

// Greet is SayHello with a second argument, for rules that look at the number.
func (h *HelloService) Greet(ctx context.Context, name string, _ int32) (string, error) {
	defer h.begin(ctx, "greet")()
	return fmt.Sprintf("Hello %s from %s", name, h.name), nil
}

// Later is SayHello; in Java it answers from another thread.
func (h *HelloService) Later(ctx context.Context, name string) (string, error) {
	defer h.begin(ctx, "later")()
	return fmt.Sprintf("Hello %s from %s", name, h.name), nil
}

// Echo answers what was sent.
func (h *HelloService) Echo(ctx context.Context, text string) (string, error) {
	defer h.begin(ctx, "echo")()
	return text, nil
}

// Slow answers "Hello MILLIS from SERVER" after so many milliseconds.
func (h *HelloService) Slow(ctx context.Context, millis int32) (string, error) {
	defer h.begin(ctx, "slow")()
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return fmt.Sprintf("Hello %s from %s", strconv.Itoa(int(millis)), h.name), nil
}

// Fail throws the declared exception.
func (h *HelloService) Fail(ctx context.Context, why string) (string, error) {
	defer h.begin(ctx, "fail")()
	return "", &HelloException{DetailMessage: why, Code: 42, StackTrace: []java_exception.StackTraceElement{}}
}

// Crash throws a RuntimeException, which no interface declares.
func (h *HelloService) Crash(ctx context.Context, why string) (string, error) {
	defer h.begin(ctx, "crash")()
	return "", java_exception.NewRuntimeException(why)
}

// Nothing is void.
func (h *HelloService) Nothing(ctx context.Context) error {
	defer h.begin(ctx, "nothing")()
	return nil
}

// Pojo answers what was sent, with the server's name in it.
func (h *HelloService) Pojo(ctx context.Context, r *Record) (*Record, error) {
	defer h.begin(ctx, "pojo")()
	r.Server = h.name
	return r, nil
}

// Blob answers what was sent.
func (h *HelloService) Blob(ctx context.Context, b []byte) ([]byte, error) {
	defer h.begin(ctx, "blob")()
	return b, nil
}

// Notify is void; consumers may call it one-way.
func (h *HelloService) Notify(ctx context.Context, _ string) error {
	defer h.begin(ctx, "notify")()
	h.notified.Add(1)
	return nil
}

// Notified answers how many Notify calls there were.
func (h *HelloService) Notified(ctx context.Context) (int64, error) {
	defer h.begin(ctx, "notified")()
	return h.notified.Load(), nil
}
