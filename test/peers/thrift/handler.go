package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aeraki-mesh/aeraki/test/peers/thrift/gen/sample"
)

// handler implements HelloService and Calculator of sample.thrift. It ignores the cancellation of
// its context: the library cancels when the client has half-closed, and such a client still wants
// its reply.
type handler struct {
	name     string
	notified atomic.Int64
}

func (h *handler) greet(whom string) string { return "Hello " + whom + " from " + h.name }

func (h *handler) SayHello(_ context.Context, name string) (string, error) {
	return h.greet(name), nil
}

func (h *handler) Echo(_ context.Context, payload string) (string, error) { return payload, nil }

func (h *handler) Blob(_ context.Context, data []byte) ([]byte, error) { return data, nil }

func (h *handler) Store(_ context.Context, r *sample.Record) (*sample.Record, error) { return r, nil }

func (h *handler) Slow(_ context.Context, millis int32) (string, error) {
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return h.greet(strconv.Itoa(int(millis))), nil
}

func (h *handler) Fail(_ context.Context, why string) (string, error) {
	return "", &sample.Oops{Why: why, Code: int32(len(why))}
}

func (h *handler) Crash(_ context.Context, why string) (string, error) {
	return "", errors.New(why)
}

func (h *handler) Clear(context.Context) error { return nil }

func (h *handler) Notify(context.Context, string) error {
	h.notified.Add(1)
	return nil
}

func (h *handler) Notified(context.Context) (int64, error) { return h.notified.Load(), nil }

// Missing is never reached: the server takes the method out of the processor's table.
func (h *handler) Missing(_ context.Context, what string) (string, error) {
	return "", fmt.Errorf("missing was called with %q", what)
}

func (h *handler) Add(_ context.Context, a, b int32) (int32, error) { return a + b, nil }

func (h *handler) Whoami(context.Context) (string, error) { return h.greet("Calculator"), nil }
