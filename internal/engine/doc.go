// Package engine is the data plane without its I/O: a single-threaded worker
// that decodes, matches, filters, balances and answers, driven by events. See
// Handler for what feeds it and Driver for what it asks. What touches sockets,
// clocks, files or the control plane belongs into a driver or beside it.
package engine
