package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"
)

// Reasons of field errors.
const (
	ReasonRequired = "Required"
	ReasonInvalid  = "Invalid"
	ReasonWeights  = "WeightsDoNotAddUp"
	ReasonRegex    = "BadRegex"
)

// FieldError is something wrong within one object.
type FieldError struct {
	// Field is the path from the object's root: "spec.routes[0].route".
	Field string
	// Reason is one CamelCase word.
	Reason  string
	Message string
	// Next is what the user can do about it; may be empty.
	Next string
}

type fieldErrors []FieldError

func (e *fieldErrors) add(field, reason, next, format string, args ...any) {
	*e = append(*e, FieldError{Field: field, Reason: reason, Next: next, Message: fmt.Sprintf(format, args...)})
}

// Validate returns everything that is wrong within the router, whatever the
// objects around it are.
func (r *MetaRouter) Validate() []FieldError {
	var e fieldErrors
	if len(r.Spec.Hosts) != 1 {
		e.add("spec.hosts", ReasonInvalid, "name one service; write a router for each", "exactly one host is needed, not %d", len(r.Spec.Hosts))
	}
	for i, h := range r.Spec.Hosts {
		validateHost(&e, fmt.Sprintf("spec.hosts[%d]", i), h)
	}
	for i, g := range r.Spec.Gateways {
		if g == "" || strings.Count(g, "/") > 1 {
			e.add(fmt.Sprintf("spec.gateways[%d]", i), ReasonInvalid, "write name or namespace/name", "%q names no gateway", g)
		}
	}
	for i := range r.Spec.Routes {
		r.Spec.Routes[i].validate(&e, fmt.Sprintf("spec.routes[%d]", i))
	}
	return e
}

func validateHost(e *fieldErrors, field, host string) {
	switch {
	case host == "":
		e.add(field, ReasonRequired, "name the service", "the host is empty")
	case strings.Contains(host, "*"):
		e.add(field, ReasonInvalid, "write the whole name", "%q has a wildcard; a host is one fully qualified name", host)
	}
}

func (r *MetaRoute) validate(e *fieldErrors, at string) {
	if r.Match != nil {
		r.Match.validate(e, at+".match")
	}
	for i := range r.Matches {
		r.Matches[i].validate(e, fmt.Sprintf("%s.matches[%d]", at, i))
	}
	r.validateDestinations(e, at+".route")
	if r.Timeout != nil && r.Timeout.Duration < 0 {
		e.add(at+".timeout", ReasonInvalid, "", "the timeout %s is negative", r.Timeout.Duration)
	}
	for i, h := range r.HashPolicy {
		if (h.Attribute != "") == h.SourceAddress {
			e.add(fmt.Sprintf("%s.hashPolicy[%d]", at, i), ReasonInvalid, "write attribute: NAME or sourceAddress: true", "it must name one thing to hash")
		}
	}
	r.validateMirror(e, at)
	validateMutations(e, at+".requestMutation", r.RequestMutation)
	validateMutations(e, at+".responseMutation", r.ResponseMutation)
}

func (r *MetaRoute) validateDestinations(e *fieldErrors, at string) {
	if len(r.Route) == 0 {
		e.add(at, ReasonRequired, "add - destination: {host: …}", "the route has no destination")
		return
	}
	sum := 0
	for i, d := range r.Route {
		field := fmt.Sprintf("%s[%d]", at, i)
		if d.Destination == nil {
			e.add(field+".destination", ReasonRequired, "add destination: {host: …}", "the destination is missing")
		} else {
			d.Destination.validate(e, field+".destination")
		}
		if d.Weight > 100 {
			e.add(field+".weight", ReasonInvalid, "", "the weight %d is not within 0 and 100", d.Weight)
		}
		sum += int(min(d.Weight, 1000))
	}
	if len(r.Route) > 1 && sum != 100 {
		e.add(at, ReasonWeights, "change the weights so that their sum is 100", "the weights add up to %d, not 100", sum)
	}
}

func (d *Destination) validate(e *fieldErrors, at string) {
	validateHost(e, at+".host", d.Host)
	if d.Port != nil && (d.Port.Number == 0 || d.Port.Number > 65535) {
		e.add(at+".port.number", ReasonInvalid, "", "%d is no port", d.Port.Number)
	}
	if strings.Contains(d.Subset, "|") {
		e.add(at+".subset", ReasonInvalid, "", "the subset %q holds a |", d.Subset)
	}
}

func (r *MetaRoute) validateMirror(e *fieldErrors, at string) {
	if r.Mirror != nil {
		r.Mirror.validate(e, at+".mirror")
	}
	if r.MirrorPercentage == nil {
		return
	}
	if v := r.MirrorPercentage.Value; !(v > 0 && v <= 100) {
		e.add(at+".mirrorPercentage.value", ReasonInvalid, "to mirror nothing, remove mirror", "%v is not greater than 0 and at most 100", v)
	}
	if r.Mirror == nil {
		e.add(at+".mirrorPercentage", ReasonInvalid, "add mirror, or remove this", "there is a percentage but no mirror")
	}
}

func validateMutations(e *fieldErrors, at string, entries []KeyValue) {
	for i, m := range entries {
		field := fmt.Sprintf("%s[%d]", at, i)
		if m.Key == "" {
			e.add(field+".key", ReasonRequired, "name the attribute", "the key is empty")
		}
		switch m.Op {
		case "", "set", "add":
			if m.Value == "" {
				e.add(field+".value", ReasonRequired, "to take the attribute away, write op: remove", "the value is empty")
			}
		case "remove":
			if m.Value != "" {
				e.add(field+".value", ReasonInvalid, "leave the value out", "remove takes no value")
			}
		default:
			e.add(field+".op", ReasonInvalid, "use set, add or remove", "%q is no operation", m.Op)
		}
	}
}

func (m *MetaRouteMatch) validate(e *fieldErrors, at string) {
	for _, name := range sortedKeys(m.Attributes) {
		match := m.Attributes[name]
		match.validate(e, at+".attributes."+name)
	}
	if m.Source != nil && m.Source.Namespace == "" && len(m.Source.Labels) == 0 {
		e.add(at+".source", ReasonRequired, "add labels or a namespace, or remove source", "the source says nothing")
	}
}

func (m *StringMatch) validate(e *fieldErrors, at string) {
	if n := m.kinds(); n != 1 {
		e.add(at, ReasonInvalid, "use one of exact, prefix, suffix, regex, present, absent, range", "exactly one condition is needed, not %d", n)
	}
	for field, v := range map[string]*string{"prefix": m.Prefix, "suffix": m.Suffix, "regex": m.Regex} {
		if v != nil && *v == "" {
			e.add(at+"."+field, ReasonInvalid, "to ask whether it is there, write present: true", "the %s is empty", field)
		}
	}
	for field, v := range map[string]*bool{"present": m.Present, "absent": m.Absent} {
		if v != nil && !*v {
			e.add(at+"."+field, ReasonInvalid, "write present: true or absent: true", "%s: false says nothing", field)
		}
	}
	if m.Regex != nil && len(*m.Regex) > maxRegex {
		e.add(at+".regex", ReasonRegex, "", "the pattern of %d bytes is over the limit of %d", len(*m.Regex), maxRegex)
	} else if m.Regex != nil {
		if _, err := regexp.Compile(*m.Regex); err != nil {
			e.add(at+".regex", ReasonRegex, "the syntax is RE2", "%v", err)
		}
	}
	if r := m.Range; r != nil && r.Start >= r.End {
		e.add(at+".range", ReasonInvalid, "end is not part of the range", "start %d is not below end %d", r.Start, r.End)
	}
}

// maxRegex is what proxies take, in bytes.
const maxRegex = 1024

func (m *StringMatch) kinds() int {
	n := 0
	for _, set := range []bool{m.Exact != nil, m.Prefix != nil, m.Suffix != nil, m.Regex != nil, m.Present != nil, m.Absent != nil, m.Range != nil} {
		if set {
			n++
		}
	}
	return n
}

var protocolName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Validate returns everything that is wrong within the protocol.
func (p *ApplicationProtocol) Validate() []FieldError {
	var e fieldErrors
	if !protocolName.MatchString(p.Spec.Protocol) {
		e.add("spec.protocol", ReasonInvalid, "port names are split at dashes, so a protocol has none", "%q is not lower case letters, digits and _", p.Spec.Protocol)
	}
	fallback := -1
	seen := map[string]bool{}
	for i, prop := range p.Spec.Properties {
		at := fmt.Sprintf("spec.properties[%d]", i)
		if prop.Name == "" || strings.ContainsAny(prop.Name, "[] ") {
			e.add(at+".name", ReasonInvalid, "write a keyed family as name: NAME, keyed: true", "%q is no name of a property", prop.Name)
		}
		if id := fmt.Sprint(prop.Name, prop.Keyed); seen[id] {
			e.add(at+".name", ReasonInvalid, "", "the property %q is there twice", prop.Name)
		} else {
			seen[id] = true
		}
		if prop.Type != "" && prop.Type != "string" && prop.Type != "int" {
			e.add(at+".type", ReasonInvalid, "use string or int", "%q is no type", prop.Type)
		}
		if prop.Fallback && !prop.Keyed {
			e.add(at+".fallback", ReasonInvalid, "", "only a keyed property can be the fallback")
		}
		if prop.Fallback && fallback >= 0 {
			e.add(at+".fallback", ReasonInvalid, "", "property %d is the fallback already", fallback)
		}
		if prop.Fallback {
			fallback = i
		}
	}
	if n := len(p.Spec.Properties); n > 64 {
		e.add("spec.properties", ReasonInvalid, "", "%d properties are more than the 64 that a codec may have", n)
	}
	return e
}
