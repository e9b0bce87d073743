// Package protocols lists the protocols that the stock proxy has. Who builds a
// proxy of their own passes this list, with theirs, to proxy.Main.
package protocols

import (
	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/protocols/dubbo"
	"github.com/aeraki-mesh/aeraki/protocols/thrift"
)

// Builtin returns the stock protocols.
func Builtin() []codec.Protocol {
	return []codec.Protocol{dubbo.New(), thrift.New()}
}
