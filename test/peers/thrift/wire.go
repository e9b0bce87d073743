package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

// maxMessage is far over the library's default of 16 MB, so that size limits met in a test are the
// proxy's.
const maxMessage = 256 << 20

// wire says how messages look on the connection.
type wire struct {
	transport   string // framed, unframed or header
	protocol    string // binary or compact
	multiplexed bool
}

func (w *wire) flags(set *flag.FlagSet) {
	set.StringVar(&w.transport, "transport", "framed", "framed, unframed or header")
	set.StringVar(&w.protocol, "protocol", "binary", "binary or compact")
	set.BoolVar(&w.multiplexed, "multiplexed", false, "method names carry the service's name")
}

func (w *wire) validate() error {
	switch w.transport {
	case "framed", "unframed", "header":
	default:
		return fmt.Errorf("-transport must be framed, unframed or header: %q", w.transport)
	}
	switch w.protocol {
	case "binary", "compact":
	default:
		return fmt.Errorf("-protocol must be binary or compact: %q", w.protocol)
	}
	return nil
}

// config returns the library's settings; timeout bounds connecting and every read and write, 0
// means none.
func (w *wire) config(timeout time.Duration) *thrift.TConfiguration {
	id := thrift.THeaderProtocolBinary
	if w.protocol == "compact" {
		id = thrift.THeaderProtocolCompact
	}
	return &thrift.TConfiguration{
		MaxMessageSize:    maxMessage,
		MaxFrameSize:      maxMessage,
		ConnectTimeout:    timeout,
		SocketTimeout:     timeout,
		THeaderProtocolID: &id,
	}
}

func (w *wire) transportFactory(c *thrift.TConfiguration) thrift.TTransportFactory {
	switch w.transport {
	case "framed":
		return thrift.NewTFramedTransportFactoryConf(thrift.NewTTransportFactory(), c)
	case "header":
		return thrift.NewTHeaderTransportFactoryConf(thrift.NewTTransportFactory(), c)
	}
	return thrift.NewTBufferedTransportFactory(8 << 10)
}

func (w *wire) protocolFactory(c *thrift.TConfiguration) thrift.TProtocolFactory {
	switch {
	case w.transport == "header":
		return thrift.NewTHeaderProtocolFactoryConf(c)
	case w.protocol == "compact":
		return thrift.NewTCompactProtocolFactoryConf(c)
	}
	return thrift.NewTBinaryProtocolFactoryConf(c)
}
