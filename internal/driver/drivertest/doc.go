// Package drivertest holds every driver to the contract of engine.Handler and
// engine.Driver: one kit of cases, run against each.
//
// A driver's test implements Harness; for drivers with real sockets, Sockets
// is most of it. The cases run under one lock (Harness is a sync.Locker), so
// that handlers, peers and the case itself see one another's state; waiting
// releases it. A simulated driver, which has no concurrency, needs no lock.
package drivertest
