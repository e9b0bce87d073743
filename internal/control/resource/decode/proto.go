package decode

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decodeProto decodes an Istio spec into m. The tree is checked against the
// message's descriptor first, because protojson stops at the first error and
// knows no lines of YAML; what only protojson finds is told at the spec.
func decodeProto(d *decoder, n *yaml.Node, m proto.Message) any {
	before := len(d.problems)
	tree := d.message(n, m.ProtoReflect().Descriptor(), "spec")
	if len(d.problems) > before || tree == nil {
		return m
	}
	data, err := json.Marshal(tree)
	if err == nil {
		err = protojson.Unmarshal(data, m)
	}
	if err != nil {
		d.problem("spec", "Invalid", "", "%s", protoError.ReplaceAllString(err.Error(), ""))
	}
	return m
}

// protoError is what protojson says before it comes to the point: it varies the
// space after "proto:", and its line is that of JSON that nobody sees.
var protoError = regexp.MustCompile(`^proto:[\s\x{00a0}]*(\(line \d+:\d+\): )?`)

func (d *decoder) message(n *yaml.Node, md protoreflect.MessageDescriptor, path string) any {
	if known, ok := d.wellKnown(n, md, path); ok {
		return known
	}
	n = d.resolve(n, path)
	if n == nil {
		return nil
	}
	out := map[string]any{}
	d.mapping(n, path, "", func(key string, keyNode, value *yaml.Node) {
		fd := md.Fields().ByJSONName(key)
		if fd == nil {
			fd = md.Fields().ByTextName(key)
		}
		if fd == nil {
			d.unknown(keyNode, join(path, key), jsonNames(md))
			return
		}
		if v := d.protoField(value, fd, join(path, key)); v != nil {
			out[fd.JSONName()] = v
		}
	})
	return out
}

func jsonNames(md protoreflect.MessageDescriptor) []string {
	names := make([]string, md.Fields().Len())
	for i := range names {
		names[i] = md.Fields().Get(i).JSONName()
	}
	return names
}

func (d *decoder) protoField(n *yaml.Node, fd protoreflect.FieldDescriptor, path string) any {
	switch {
	case fd.IsMap():
		if n = d.resolve(n, path); n == nil {
			return nil
		}
		out := map[string]any{}
		d.mapping(n, path, "", func(key string, _, value *yaml.Node) {
			out[key] = d.protoScalar(value, fd.MapValue(), join(path, key))
		})
		return out
	case fd.IsList():
		if n = d.resolve(n, path); n == nil {
			return nil
		}
		out := []any{}
		d.sequence(n, path, func(i int, item *yaml.Node) {
			out = append(out, d.protoScalar(item, fd, fmt.Sprintf("%s[%d]", path, i)))
		})
		return out
	}
	return d.protoScalar(n, fd, path)
}

func (d *decoder) protoScalar(n *yaml.Node, fd protoreflect.FieldDescriptor, path string) any {
	if fd.Message() != nil {
		return d.message(n, fd.Message(), path)
	}
	n = d.resolve(n, path)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, path, "one value", "")
		return nil
	}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		if !isString(n) {
			d.wrongType(n, path, "a string", fmt.Sprintf("quote it: %q", n.Value))
		}
		return n.Value
	case protoreflect.BoolKind:
		if n.Tag != "!!bool" {
			d.wrongType(n, path, "true or false", "")
		}
		return strings.EqualFold(n.Value, "true")
	case protoreflect.EnumKind:
		return d.enum(n, fd.Enum(), path)
	}
	if n.Tag != "!!int" && n.Tag != "!!float" {
		d.wrongType(n, path, "a number", "")
	}
	return json.Number(n.Value)
}

func (d *decoder) enum(n *yaml.Node, ed protoreflect.EnumDescriptor, path string) any {
	if n.Tag == "!!int" {
		return json.Number(n.Value)
	}
	if ed.Values().ByName(protoreflect.Name(n.Value)) == nil {
		names := make([]string, ed.Values().Len())
		for i := range names {
			names[i] = string(ed.Values().Get(i).Name())
		}
		d.problemAt(n, path, "Invalid", "use "+strings.Join(names, ", "), "%q is no value of it", n.Value)
	}
	return n.Value
}

// wellKnown handles the messages that JSON writes as one value. Durations are
// read as Istio's users write them ("30ms", "1m"), which protojson refuses.
func (d *decoder) wellKnown(n *yaml.Node, md protoreflect.MessageDescriptor, path string) (any, bool) {
	name := md.FullName()
	if name.Parent() != "google.protobuf" {
		return nil, false
	}
	if name != "google.protobuf.Duration" {
		return d.plain(n, path), true
	}
	n = d.resolve(n, path)
	if n == nil {
		return nil, true
	}
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		d.wrongType(n, path, "a duration", "write 500ms or 5s")
		return nil, true
	}
	return fmt.Sprintf("%d.%09ds", v/time.Second, v%time.Second), true
}
