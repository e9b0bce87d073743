// Command aeraki-proxy is the standalone data plane with the built-in
// protocols and filters.
package main

import (
	"github.com/aeraki-mesh/aeraki/filters"
	"github.com/aeraki-mesh/aeraki/protocols"
	"github.com/aeraki-mesh/aeraki/proxy"
)

func main() {
	proxy.Main("aeraki-proxy", protocols.Builtin(), filters.Builtin())
}
