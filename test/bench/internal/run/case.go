// Package run measures: cases × rounds × proxies, interleaved.
package run

import (
	"fmt"
	"strconv"
	"strings"
)

// Case is one row of loads that all proxies are put under.
type Case struct {
	Name         string
	Wire         string
	Conns, Depth int
	Size         int  // payload bytes
	Rate         int  // open loop: requests per second, instead of Depth in flight
	Idle         bool // memory of idle connections; no load
	Heap         bool // heap objects over heapReplies; for Go programs
}

// heapReplies is how many replies a heap case has at least.
const heapReplies = 1_000_000

// DefaultCases are those of DESIGN.md section 8, in the order of the report.
func DefaultCases() []string {
	var names []string
	for _, wire := range []string{"thrift", "dubbo"} {
		for _, shape := range []string{"64x1", "16x16", "1x1", "64x1-4k", "open", "open5000", "idle", "64x1-heap", "16x16-heap"} {
			names = append(names, wire+"-"+shape)
		}
	}
	return names
}

// The open loop: how many connections share the rate, and the rate in requests
// per second when the case names none.
const (
	openConns   = 64
	defaultRate = 20_000
)

// ParseCase reads WIRE-CxD, WIRE-open, WIRE-openRATE or WIRE-idle. C connections
// hold D requests in flight each. Behind all but the last, "-4k" makes the
// payload 4,096 bytes instead of 128, and "-heap" counts allocations.
func ParseCase(name string) (Case, error) {
	c := Case{Name: name, Size: 128}
	wire, shape, _ := strings.Cut(name, "-")
	c.Wire = wire
	shape, c.Heap = strings.CutSuffix(shape, "-heap")
	shape, large := strings.CutSuffix(shape, "-4k")
	if large {
		c.Size = 4096
	}
	conns, depth, _ := strings.Cut(shape, "x")
	rate, open := strings.CutPrefix(shape, "open")
	var errC, errD error
	switch {
	case shape == "idle":
		c.Idle = true
	case shape == "open":
		c.Rate, c.Conns = defaultRate, openConns
	case open:
		c.Conns = openConns
		c.Rate, errC = strconv.Atoi(rate)
	default:
		c.Conns, errC = strconv.Atoi(conns)
		c.Depth, errD = strconv.Atoi(depth)
	}
	known := wire == "thrift" || wire == "dubbo"
	loaded := c.Conns >= 1 && c.Conns <= 10_000 && (c.Rate > 0 || c.Depth >= 1)
	if !known || errC != nil || errD != nil || c.Idle == loaded || c.Idle && (large || c.Heap) {
		return Case{}, fmt.Errorf("case is not like thrift-64x1, dubbo-16x16-4k, thrift-64x1-heap, thrift-open, dubbo-open5000 or thrift-idle: %q", name)
	}
	return c, nil
}
