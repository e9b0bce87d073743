package xdsclient

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
)

// implemented lists, of each message of Envoy's that this proxy takes, the
// fields that it carries out. What is not here is refused, never ignored: a
// dropped field may have been a rule. Messages of our own contract are
// implemented whole.
var implemented = map[protoreflect.FullName][]protoreflect.Name{
	"envoy.service.discovery.v3.DeltaDiscoveryResponse": {"system_version_info", "resources", "type_url", "removed_resources", "nonce", "control_plane"},
	"envoy.service.discovery.v3.Resource":               {"name", "version", "resource"},
	"envoy.config.core.v3.ControlPlane":                 {"identifier"},

	"envoy.config.listener.v3.Listener":    {"name", "address", "filter_chains", "traffic_direction"},
	"envoy.config.listener.v3.FilterChain": {"filters"},
	"envoy.config.listener.v3.Filter":      {"name", "typed_config"},

	"envoy.config.cluster.v3.Cluster": {"name", "type", "eds_cluster_config", "connect_timeout", "lb_policy",
		"load_assignment", "ring_hash_lb_config", "dns_lookup_family", "respect_dns_ttl"},
	"envoy.config.cluster.v3.Cluster.EdsClusterConfig": {"eds_config", "service_name"},
	"envoy.config.cluster.v3.Cluster.RingHashLbConfig": {"minimum_ring_size", "maximum_ring_size", "hash_function"},
	"envoy.config.core.v3.ConfigSource":                {"ads", "resource_api_version"},
	"envoy.config.core.v3.AggregatedConfigSource":      {},

	"envoy.config.endpoint.v3.ClusterLoadAssignment": {"cluster_name", "endpoints"},
	"envoy.config.endpoint.v3.LocalityLbEndpoints":   {"locality", "lb_endpoints"},
	"envoy.config.endpoint.v3.LbEndpoint":            {"endpoint", "health_status", "load_balancing_weight"},
	"envoy.config.endpoint.v3.Endpoint":              {"address"},
	"envoy.config.core.v3.Locality":                  {"region", "zone", "sub_zone"},
	"envoy.config.core.v3.Address":                   {"socket_address"},
	"envoy.config.core.v3.SocketAddress":             {"protocol", "address", "port_value"},
}

// maxDepth bounds how deep messages nest; what we take has about ten levels,
// and filters' JSON may have more.
const maxDepth = 100

// maxProblems bounds how many problems of one message are told.
const maxProblems = 8

// unmarshal reads a message from the wire and refuses every field in it, at
// any depth, that is unknown or not implemented.
func unmarshal(b []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(b, m); err != nil {
		return err
	}
	return check(m)
}

// check returns the problems of a message and of what it holds, but for the
// fields that are excepted.
func check(m proto.Message, except ...protoreflect.Name) error {
	var c checker
	c.message(m.ProtoReflect(), "", except...)
	if len(c) == 0 {
		return nil
	}
	slices.Sort(c)
	if len(c) > maxProblems {
		c = append(c[:maxProblems], fmt.Sprintf("and %d more", len(c)-maxProblems))
	}
	return fmt.Errorf("%s", strings.Join(c, "; "))
}

// checker collects problems, each with the path of its field.
type checker []string

func (c *checker) add(path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	*c = append(*c, path+fmt.Sprintf(format, args...))
}

func (c *checker) message(m protoreflect.Message, path string, except ...protoreflect.Name) {
	for b := m.GetUnknown(); len(b) > 0; {
		number, _, n := protowire.ConsumeField(b)
		if n <= 0 {
			break // Unmarshal has found it well-formed
		}
		c.add(path, "unknown field %d", number)
		b = b[n:]
	}
	if a, ok := m.Interface().(*anypb.Any); ok {
		c.any(a, path)
		return
	}
	allowed, whole := fieldsOf(m.Descriptor())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if slices.Contains(except, f.Name()) {
			return true
		}
		at := string(f.Name())
		if path != "" {
			at = path + "." + at
		}
		if !whole && !slices.Contains(allowed, f.Name()) {
			c.add(at, "is not implemented by this proxy")
			return true
		}
		c.field(f, v, at)
		return true
	})
}

// fieldsOf returns the implemented fields of a message type, or that all are.
func fieldsOf(d protoreflect.MessageDescriptor) (fields []protoreflect.Name, whole bool) {
	switch d.ParentFile().Package() {
	case "aeraki.proxy.v1", "google.protobuf":
		return nil, true
	}
	return implemented[d.FullName()], false
}

func (c *checker) field(f protoreflect.FieldDescriptor, v protoreflect.Value, path string) {
	switch {
	case f.IsList():
		for i, l := 0, v.List(); i < l.Len(); i++ {
			c.single(f, l.Get(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case f.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			c.single(f.MapValue(), v, fmt.Sprintf("%s[%q]", path, k.String()))
			return true
		})
	default:
		c.single(f, v, path)
	}
}

func (c *checker) single(f protoreflect.FieldDescriptor, v protoreflect.Value, path string) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		c.message(v.Message(), path)
	case protoreflect.EnumKind:
		if f.Enum().Values().ByNumber(v.Enum()) == nil {
			c.add(path, "unknown value %d of %s", v.Enum(), f.Enum().Name())
		}
	}
}

// any looks into a typed configuration. A response's resources are looked into
// one by one, so that one that is bad does not spoil the others.
func (c *checker) any(a *anypb.Any, path string) {
	var m proto.Message
	switch a.GetTypeUrl() {
	case listenerType.url(), routeType.url(), clusterType.url(), endpointType.url():
		return
	case metaProtocolURL:
		m = &proxyv1.MetaProtocol{}
	default:
		c.add(path, "type %q is not implemented by this proxy", a.GetTypeUrl())
		return
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(a.GetValue(), m); err != nil {
		c.add(path, "%v", err)
		return
	}
	c.message(m.ProtoReflect(), path)
}

// metaProtocolURL is the type of the one network filter that there is.
const metaProtocolURL = "type.googleapis.com/aeraki.proxy.v1.MetaProtocol"
