package compile

import (
	"math"
	"strconv"
	"strings"

	"github.com/aeraki-mesh/aeraki/internal/control/ir"
)

// LimitsAnnotation of a ServiceEntry bounds what each listener for the service
// holds for its peers, as "name=value, name=value":
//
//   - maxMessageBytes: the size of one message, 1,024 to 1,073,741,824 bytes
//     (default 16,777,216)
//   - maxProperties: entries of one keyed family in a message, such as Dubbo's
//     attachments (default 1,024)
//   - maxConnections: downstream connections of the listener (default 100,000)
//   - maxRequestsPerConnection: requests in flight on one downstream connection
//     (default 1,024)
//   - maxRequests: requests in flight on the listener, per worker (default
//     262,144)
//
// Values are whole decimal numbers; where no range is named it is 1 to
// 2,147,483,647. What is not named has its default. It holds for every port of
// the service, and for outbound, inbound and gateway listeners alike.
const LimitsAnnotation = "aeraki.io/limits"

// limit is one name of the annotation.
type limit struct {
	name     string
	min, max uint64
	set      func(*ir.Limits, uint64)
}

// limitNames are in the order of the doc comment. The ranges are what proxies
// take; below 1 KiB hardly a protocol's own errors would fit.
func limitNames() []limit {
	return []limit{
		{"maxMessageBytes", 1 << 10, 1 << 30, func(l *ir.Limits, n uint64) { l.MaxMessageBytes = n }},
		{"maxProperties", 1, math.MaxInt32, func(l *ir.Limits, n uint64) { l.MaxProperties = uint32(n) }},
		{"maxConnections", 1, math.MaxInt32, func(l *ir.Limits, n uint64) { l.MaxConnections = uint32(n) }},
		{"maxRequestsPerConnection", 1, math.MaxInt32, func(l *ir.Limits, n uint64) { l.MaxRequestsPerConnection = uint32(n) }},
		{"maxRequests", 1, math.MaxInt32, func(l *ir.Limits, n uint64) { l.MaxRequests = uint32(n) }},
	}
}

// limits reads the annotation; every slip in it is a fault of its own.
func limits(found *findings, annotations map[string]string) ir.Limits {
	var out ir.Limits
	text, set := annotations[LimitsAnnotation]
	if !set {
		return out
	}
	const field = "metadata.annotations." + LimitsAnnotation
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(text, ",") {
		name, value, pair := strings.Cut(entry, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		l := limitNamed(name)
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case !pair:
			found.add(fault, field, "Invalid", `write it as "maxMessageBytes=33554432, maxConnections=1000"`, "%q is not name=value", strings.TrimSpace(entry))
		case l == nil:
			found.add(fault, field, "UnknownLimit", "the limits are "+limitList(), "there is no limit %q", name)
		case seen[name]:
			found.add(fault, field, "Invalid", "keep one of them", "limit %s is there twice", name)
		case err != nil || n < l.min || n > l.max:
			found.add(fault, field, "OutOfRange", "leave it out to have the default", "limit %s is a whole number from %d to %d, which %q is not", name, l.min, l.max, value)
		default:
			l.set(&out, n)
		}
		seen[name] = true
	}
	return out
}

func limitNamed(name string) *limit {
	for _, l := range limitNames() {
		if l.name == name {
			return &l
		}
	}
	return nil
}

func limitList() string {
	var names []string
	for _, l := range limitNames() {
		names = append(names, l.name)
	}
	return strings.Join(names, ", ")
}
