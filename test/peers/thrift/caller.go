package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/aeraki-mesh/aeraki/test/peers/thrift/gen/sample"
)

// answer is what became of one request.
type answer struct {
	err          error  // nil: the right reply came
	wrong        bool   // a reply came that does not belong to the request
	notConnected bool   // there is no connection, and none was to be had
	version      string // the server that said it was its reply, "" if the reply does not tell
	text         string // for -print
}

// caller is one connection with the library's clients on it. It connects when it needs to and never
// sends a request twice. For one goroutine.
type caller struct {
	o          *clientOptions
	methods    []method // called in turn
	turn       int
	transport  thrift.TTransport // nil: not connected
	header     *thrift.THeaderProtocol
	hello      *sample.HelloServiceClient
	calculator *sample.CalculatorClient
}

// newCaller expects validated options.
func newCaller(o *clientOptions) *caller {
	c, known := &caller{o: o}, methods()
	for name := range strings.SplitSeq(o.methods, ",") {
		c.methods = append(c.methods, known[name])
	}
	return c
}

func (c *caller) close() {
	if c.transport != nil {
		c.transport.Close()
		c.transport = nil
	}
}

func (c *caller) connect() error {
	config := c.o.config(c.o.timeout)
	transport, err := c.o.transportFactory(config).GetTransport(thrift.NewTSocketConf(c.o.target, config))
	if err != nil {
		return err
	}
	if err := transport.Open(); err != nil {
		return err
	}
	c.transport = transport
	protocol := c.o.protocolFactory(config).GetProtocol(transport)
	c.header, _ = protocol.(*thrift.THeaderProtocol)
	c.hello = sample.NewHelloServiceClient(c.client(protocol, "HelloService"))
	c.calculator = sample.NewCalculatorClient(c.client(protocol, "Calculator"))
	return nil
}

func (c *caller) client(protocol thrift.TProtocol, service string) thrift.TClient {
	out := protocol
	if c.o.multiplexed {
		out = thrift.NewTMultiplexedProtocol(protocol, service)
	}
	return thrift.NewTStandardClient(protocol, out)
}

// lastHeaders returns those of the last reply to a method of m's service.
func (c *caller) lastHeaders(m method) thrift.THeaderMap {
	if m.calculator {
		return c.calculator.LastResponseMeta_().Headers
	}
	return c.hello.LastResponseMeta_().Headers
}

// call sends one request that carries token and judges its reply.
func (c *caller) call(token string) answer {
	if c.transport == nil {
		if err := c.connect(); err != nil {
			return answer{err: err, notConnected: true}
		}
	}
	m := c.methods[c.turn]
	c.turn = (c.turn + 1) % len(c.methods)
	r, err := m.call(c.context(), c, token)
	a := answer{err: err, version: r.version}
	var wrong *wrongReply
	switch {
	case errors.As(err, &wrong):
		a.wrong = true
	case err != nil && foreign(err):
		a.wrong = true
	case err == nil && c.header != nil && !m.oneway:
		if by := c.lastHeaders(m)["x-served-by"]; by != "" {
			a.version = by
		}
	}
	if c.o.print {
		a.text = c.describe(m, r, err)
	}
	var application thrift.TApplicationException
	if err != nil && (a.wrong || !errors.As(err, &application)) {
		c.close()
	}
	return a
}

// context carries the headers of -header.
func (c *caller) context() context.Context {
	ctx := context.Background()
	if c.header == nil {
		return ctx
	}
	var keys []string
	for _, h := range c.o.headers {
		ctx = thrift.SetHeader(ctx, h.key, h.value)
		keys = append(keys, h.key)
		// Under a multiplexed protocol the library's client does not see the THeader one, and does
		// not hand the context's headers over.
		c.header.SetWriteHeader(h.key, h.value)
	}
	return thrift.SetWriteHeaderList(ctx, keys)
}

func (c *caller) describe(m method, r reply, err error) string {
	text := r.text
	if err != nil {
		text = "error: " + err.Error()
	}
	if c.header != nil && c.transport != nil && !m.oneway {
		text += fmt.Sprintf(" %v", c.lastHeaders(m))
	}
	return text
}

// foreign reports whether the library found that a reply is not that of its request.
func foreign(err error) bool {
	var application thrift.TApplicationException
	if !errors.As(err, &application) {
		return false
	}
	switch application.TypeId() {
	case thrift.WRONG_METHOD_NAME, thrift.BAD_SEQUENCE_ID, thrift.INVALID_MESSAGE_TYPE_EXCEPTION:
		return true
	}
	return false
}

// errorText names an error so that equal ones count as one: without ports and tokens.
func errorText(err error) string {
	var application thrift.TApplicationException
	var protocol thrift.TProtocolException
	var netErr net.Error
	switch {
	case errors.As(err, &application):
		text, _, _ := strings.Cut(application.Error(), "#")
		return fmt.Sprintf("application exception %d: %s", application.TypeId(), text)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, syscall.EPIPE):
		return "broken pipe"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF):
		return "EOF"
	case errors.As(err, &protocol):
		return "protocol: " + protocol.Error()
	}
	return err.Error()
}
