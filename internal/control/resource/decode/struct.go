package decode

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// maxNodes bounds a document with its aliases followed, so that a few lines of
// YAML cannot unfold into gigabytes.
const maxNodes = 200_000

// problem is something wrong at a place of the document.
type problem struct {
	line                         int
	field, reason, message, next string
	severity                     diag.Severity
}

// decoder decodes one document and collects all that is wrong with it.
type decoder struct {
	root     *yaml.Node
	offset   int // lines of the file before the document
	budget   int
	problems []problem
}

func (d *decoder) lineOf(field string) int { return d.offset + find(d.root, field) }

// maxProblems bounds what is told of one document.
const maxProblems = 100

// problem notes an error at the field.
func (d *decoder) problem(field, reason, next, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.add(problem{line: d.lineOf(field), field: field, reason: reason, next: next}, format, args)
	}
}

// problemAt notes an error at a node: for keys that the path would not find.
func (d *decoder) problemAt(n *yaml.Node, field, reason, next, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.add(problem{line: d.offset + n.Line, field: field, reason: reason, next: next}, format, args)
	}
}

func (d *decoder) add(p problem, format string, args []any) {
	p.message, p.severity = fmt.Sprintf(format, args...), diag.Error
	d.problems = append(d.problems, p)
}

// validated adds the object's own validation, but only to what decoded well:
// a misspelled field would be told twice otherwise, as unknown and as missing.
func (d *decoder) validated(validate func() []metarouterv1.FieldError) {
	if len(d.problems) > 0 {
		return
	}
	for _, e := range validate() {
		d.problem(e.Field, e.Reason, e.Next, "%s", e.Message)
	}
}

// structure decodes n into the struct that out points to, by its json tags.
func (d *decoder) structure(n *yaml.Node, out any, path string) {
	d.value(n, reflect.ValueOf(out).Elem(), path)
}

// resolve follows aliases and counts nodes; nil: there is nothing to decode.
func (d *decoder) resolve(n *yaml.Node, path string) *yaml.Node {
	if d.budget--; d.budget < 0 {
		if d.budget == -1 {
			d.problem(path, "TooLarge", "split it", "the document has more than %d nodes", maxNodes)
		}
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == 0 || n.Tag == "!!null" {
		return nil
	}
	return n
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if node, ok := v.Addr().Interface().(*yaml.Node); ok {
		*node = *n
		return
	}
	n = d.resolve(n, path)
	if n == nil {
		return
	}
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		d.unmarshal(n, u, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.mapping(n, path, "", func(key string, keyNode, value *yaml.Node) { d.field(v, key, keyNode, value, path) })
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		d.mapping(n, path, "", func(key string, _, value *yaml.Node) {
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(value, item, join(path, key))
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
		})
	case reflect.Slice:
		d.sequence(n, path, func(i int, item *yaml.Node) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		})
	default:
		d.scalar(n, v, path)
	}
}

// mapping calls f for every entry of n, each key once.
func (d *decoder) mapping(n *yaml.Node, path, hint string, f func(key string, keyNode, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, path, "a mapping", hint)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if first, twice := seen[key.Value]; twice {
			d.problemAt(key, join(path, key.Value), "DuplicateField", "keep one of them", "%q is there already, at line %d", key.Value, first)
			continue
		}
		seen[key.Value] = d.offset + key.Line
		f(key.Value, key, n.Content[i+1])
	}
}

func (d *decoder) sequence(n *yaml.Node, path string, f func(i int, item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, path, "a list", "write each item after a dash")
		return
	}
	for i, item := range n.Content {
		f(i, item)
	}
}

func (d *decoder) field(v reflect.Value, key string, keyNode, value *yaml.Node, path string) {
	at := fields(v.Type())
	index, known := at[key]
	if !known {
		names := make([]string, 0, len(at))
		for name := range at {
			names = append(names, name)
		}
		d.unknown(keyNode, join(path, key), names)
		return
	}
	d.value(value, v.FieldByIndex(index), join(path, key))
}

func (d *decoder) unknown(key *yaml.Node, path string, names []string) {
	slices.Sort(names)
	d.problemAt(key, path, "UnknownField", "the fields here are "+strings.Join(names, ", "), "there is no field %q", key.Value)
}

// fields maps the JSON names of a struct to its fields, inline ones included.
func fields(t reflect.Type) map[string][]int {
	out := map[string][]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && strings.Contains(options, "inline"):
			for k, index := range fields(f.Type) {
				out[k] = append([]int{i}, index...)
			}
		case name != "" && name != "-":
			out[name] = []int{i}
		}
	}
	return out
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.wrongType(n, path, typeName(v.Kind()), "")
	case v.Kind() == reflect.String:
		if isString(n) {
			v.SetString(n.Value)
		} else {
			d.wrongType(n, path, "a string", fmt.Sprintf("quote it: %q", n.Value))
		}
	case v.Kind() == reflect.Bool:
		if n.Tag == "!!bool" {
			v.SetBool(strings.EqualFold(n.Value, "true"))
		} else {
			d.wrongType(n, path, "true or false", "")
		}
	case v.CanInt():
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if n.Tag != "!!int" || err != nil {
			d.wrongType(n, path, fmt.Sprintf("a whole number of %d bits", v.Type().Bits()), "")
		}
		v.SetInt(i)
	case v.CanUint():
		i, err := strconv.ParseUint(n.Value, 10, v.Type().Bits())
		if n.Tag != "!!int" || err != nil {
			d.wrongType(n, path, "a whole number, not negative", "")
		}
		v.SetUint(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.Value, 64)
		if (n.Tag != "!!int" && n.Tag != "!!float") || err != nil {
			d.wrongType(n, path, "a number", "")
		}
		v.SetFloat(f)
	}
}

func typeName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	default:
		return "a number"
	}
}

// isString: what YAML reads as a date is a string here, as in JSON.
func isString(n *yaml.Node) bool {
	return n.Tag == "!!str" || n.Tag == "!!timestamp" || n.Tag == "!!binary"
}

func (d *decoder) wrongType(n *yaml.Node, path, want, next string) {
	got := "a mapping"
	switch {
	case n.Kind == yaml.SequenceNode:
		got = "a list"
	case n.Kind == yaml.ScalarNode:
		got = fmt.Sprintf("%q", n.Value)
	}
	d.problemAt(n, path, "WrongType", next, "%s is needed here, not %s", want, got)
}

// unmarshal hands types that decode themselves their JSON.
func (d *decoder) unmarshal(n *yaml.Node, u json.Unmarshaler, path string) {
	data, err := json.Marshal(d.plain(n, path))
	if err == nil {
		err = u.UnmarshalJSON(data)
	}
	if err != nil {
		d.problemAt(n, path, "Invalid", "", "%v", err)
	}
}

// plain turns a node into what encoding/json writes.
func (d *decoder) plain(n *yaml.Node, path string) any {
	n = d.resolve(n, path)
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.MappingNode:
		out := map[string]any{}
		d.mapping(n, path, "", func(key string, _, value *yaml.Node) { out[key] = d.plain(value, join(path, key)) })
		return out
	case n.Kind == yaml.SequenceNode:
		out := []any{}
		d.sequence(n, path, func(i int, item *yaml.Node) { out = append(out, d.plain(item, fmt.Sprintf("%s[%d]", path, i))) })
		return out
	case n.Tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case n.Tag == "!!int" || n.Tag == "!!float":
		var v any
		if err := n.Decode(&v); err == nil {
			return v
		}
	}
	return n.Value
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
