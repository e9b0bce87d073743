package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"strings"
	"time"

	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/common/extension"
	"dubbo.apache.org/dubbo-go/v3/filter"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/result"
	gettyremoting "dubbo.apache.org/dubbo-go/v3/remoting/getty"
)

// answer is what became of one request.
type answer struct {
	err          error  // nil: the right reply came
	wrong        bool   // a reply came that does not belong to the request
	notConnected bool   // there is no connection, and none was to be had
	version      string // the server that said it was its reply, "" if the reply does not tell
	text         string // for -print
}

// caller sends requests through one reference of the library; for any number of goroutines.
type caller struct {
	o       *clientOptions
	methods []method
	conn    *client.Connection
}

// newCaller connects; the library wants a server that is there when a reference is made.
func newCaller(o *clientOptions) (*caller, error) {
	if err := awaitServer(o.target, o.timeout); err != nil {
		return nil, err
	}
	config := gettyremoting.GetDefaultClientConfig()
	config.ConnectionNum = o.connections
	config.HeartbeatPeriod = o.heartbeat.String()
	config.GettySessionParam.MaxMsgLen = maxMessage
	gettyremoting.SetClientConf(*config)
	extension.SetFilter(replyFilterName, func() filter.Filter { return replyFilter{} })

	cli, err := client.NewClient(client.WithClientProtocolDubbo(), client.WithClientSerialization(constant.Hessian2Serialization))
	if err != nil {
		return nil, err
	}
	options := []client.ReferenceOption{
		client.WithURL("dubbo://" + o.target),
		client.WithClusterFailFast(),
		client.WithRetries(0),
		client.WithRequestTimeout(o.timeout),
		client.WithFilter(replyFilterName),
		client.WithGroup(o.group),
		client.WithVersion(o.version),
		client.WithSerialization(constant.Hessian2Serialization),
	}
	if o.generic {
		options = append(options, client.WithGeneric())
	}
	conn, err := cli.Dial(o.service.name, options...)
	c := &caller{o: o, conn: conn}
	for _, m := range o.methods {
		c.methods = append(c.methods, methods()[m])
	}
	return c, err
}

func awaitServer(target string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		c, err := net.DialTimeout("tcp", target, timeout)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(reconnectPause)
	}
}

// call sends the i-th request of a worker, which carries token, and judges its reply.
func (c *caller) call(i int, token string) (a answer) {
	defer func() {
		// The library dereferences nil when its last connection closes under a request.
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic in the library: %v", r), notConnected: true}
		}
	}()
	q := &request{c: c, token: token}
	r, err := c.methods[i%len(c.methods)].call(q)
	a = answer{err: err, version: r.version}
	var wrong *wrongReply
	a.wrong = errors.As(err, &wrong)
	if by, ok := q.attachments[servedBy].(string); ok && err == nil {
		a.version = by
	}
	a.notConnected = err != nil && errorText(err) == "no connection"
	if c.o.print {
		a.text = r.text
		if err != nil {
			a.text = "error: " + err.Error()
		}
		for k, v := range q.attachments {
			if strings.HasPrefix(k, echoedAs) {
				a.text += fmt.Sprintf(" %s=%v", k, v)
			}
		}
	}
	return a
}

// request is one call under way.
type request struct {
	c           *caller
	token       string
	attachments map[string]any // of the reply; nil when the server sends none
}

// invoke calls a method of the interface; types are the Java names of the arguments' types.
func (q *request) invoke(method string, types []string, args []any, reply any) error {
	o := q.c.o
	out := map[string]any{}
	for k, v := range o.attachments {
		out[k] = v
	}
	if o.oneway {
		// How dubbo-go is told not to wait for a reply.
		out[constant.AsyncKey] = "true"
	}
	if o.generic {
		method, args = constant.Generic, genericArgs(method, types, args)
	}
	ctx := context.WithValue(context.Background(), constant.AttachmentKey, out)
	ctx = context.WithValue(ctx, replyFilterKey{}, q)
	return q.c.conn.CallUnary(ctx, args, reply, method, client.WithCallRequestTimeout(o.timeout), client.WithCallRetries(0))
}

const replyFilterName = "peer-reply"

type replyFilterKey struct{}

// replyFilter keeps the attachments of replies, which the client's API does not hand out.
type replyFilter struct{}

// Invoke implements filter.Filter.
func (replyFilter) Invoke(ctx context.Context, invoker base.Invoker, inv base.Invocation) result.Result {
	res := invoker.Invoke(ctx, inv)
	if q, ok := ctx.Value(replyFilterKey{}).(*request); ok {
		q.attachments = maps.Clone(res.Attachments())
	}
	return res
}

// OnResponse implements filter.Filter.
func (replyFilter) OnResponse(_ context.Context, res result.Result, _ base.Invoker, _ base.Invocation) result.Result {
	return res
}

// errorText names an error so that equal ones count as one: without ports and tokens.
func errorText(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "client read timeout"):
		return "timeout"
	case strings.Contains(text, "failed to create client connection"), strings.Contains(text, "session not exist"),
		strings.Contains(text, "client closed"), strings.Contains(text, "client have been closed"):
		return "no connection"
	case strings.Contains(text, "connection reset"):
		return "connection reset"
	}
	text = tokens.ReplaceAllString(text, "#")
	if len(text) > 300 {
		text = text[:300]
	}
	return text
}

// tokens matches what differs from request to request in the text of an error.
var tokens = regexp.MustCompile(`#[0-9a-f]{8}\.\d+\.\d+\.*|(\d+\.){3}\d+:\d+`)
