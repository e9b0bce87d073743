// Package loop is the driver with real sockets: event loops that feed one
// engine.Handler each, on one goroutine each.
//
// On Linux a loop is its own level-triggered epoll instance; elsewhere, and
// where Options.Portable asks for it, goroutines read and write the
// connections and hand events to the loop's goroutine. Both keep the contract
// of engine.Handler and engine.Driver, which package drivertest holds them to.
//
// A panic of a handler is not recovered here: the handler knows what it was
// working on and recovers per event; what escapes it ends the process.
package loop
