// Package integration holds the tests of the programs: the real control plane
// on a folder of YAML, real proxies, and real clients and servers of real
// libraries, each a process of its own, on loopback. What one package can test
// alone belongs beside that package. The package has no code of its own.
//
// With -short only the tests named TestSmoke… run: one Thrift and one Dubbo
// conversation through a controller and two proxies, of Go programs. Without,
// all run; what they need and the machine lacks (the Python and Java peers) is
// built into .cache/, with a message that says so.
package integration
