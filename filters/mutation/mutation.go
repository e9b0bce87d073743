// Package mutation adds, sets and removes properties of requests and replies:
// attachments, headers, whatever the protocol calls them.
package mutation

import (
	"fmt"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
)

// Filter is the mutation filter.
type Filter struct{}

// config is its configuration.
type config struct {
	Request  []edit `json:"request"`
	Response []edit `json:"response"`
}

// edit changes one property: op is "set" (the default), "add" or "remove";
// value is for the first two.
type edit struct {
	Op       string  `json:"op"`
	Property string  `json:"property"`
	Value    *string `json:"value"`
}

var ops = map[string]codec.Op{"": codec.Set, "set": codec.Set, "add": codec.Add, "remove": codec.Remove}

// Name implements filter.Filter.
func (Filter) Name() string { return "mutation" }

// Parse implements filter.Filter.
func (Filter) Parse(raw []byte, p codec.Protocol) (filter.Instance, error) {
	var c config
	if err := filter.Decode(raw, &c); err != nil {
		return nil, err
	}
	request, err := parseEdits("request", c.Request, p)
	if err != nil {
		return nil, err
	}
	response, err := parseEdits("response", c.Response, p)
	if err != nil {
		return nil, err
	}
	switch {
	case len(response) == 0:
		return &onRequest{request}, nil
	case len(request) == 0:
		return &onReply{response}, nil
	}
	return &both{onRequest{request}, onReply{response}}, nil
}

func parseEdits(where string, in []edit, p codec.Protocol) ([]codec.Edit, error) {
	var out []codec.Edit
	for i, e := range in {
		parsed, err := parseEdit(e, p)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", where, i, err)
		}
		out = append(out, parsed)
	}
	return out, nil
}

func parseEdit(e edit, p codec.Protocol) (codec.Edit, error) {
	op, ok := ops[e.Op]
	if !ok {
		return codec.Edit{}, fmt.Errorf("op: %q is not set, add or remove", e.Op)
	}
	ref, err := codec.FindProperty(p.Properties(), e.Property)
	if err != nil {
		return codec.Edit{}, err
	}
	if !p.Properties()[ref.Property].Mutable {
		return codec.Edit{}, fmt.Errorf("property: %s of %s cannot be changed", e.Property, p.Traits().Name)
	}
	if op == codec.Remove {
		if e.Value != nil {
			return codec.Edit{}, fmt.Errorf("value: remove takes none")
		}
		return codec.Edit{Op: op, Ref: ref}, nil
	}
	if e.Value == nil {
		return codec.Edit{}, fmt.Errorf("value: is missing")
	}
	return codec.Edit{Op: op, Ref: ref, Value: []byte(*e.Value)}, nil
}

// onRequest edits requests.
type onRequest struct{ edits []codec.Edit }

// Refs implements filter.Instance: edits read nothing.
func (*onRequest) Refs() []codec.Ref { return nil }

// Clusters implements filter.Instance.
func (*onRequest) Clusters() []string { return nil }

// OnRequest implements filter.RequestFilter.
func (f *onRequest) OnRequest(x filter.Exchange) filter.Action {
	for i := range f.edits {
		x.Edit(&f.edits[i])
	}
	return filter.Continue
}

// onReply edits replies.
type onReply struct{ edits []codec.Edit }

// Refs implements filter.Instance.
func (*onReply) Refs() []codec.Ref { return nil }

// Clusters implements filter.Instance.
func (*onReply) Clusters() []string { return nil }

// OnReply implements filter.ReplyFilter.
func (f *onReply) OnReply(x filter.Exchange) {
	for i := range f.edits {
		x.Edit(&f.edits[i])
	}
}

// both edits requests and replies.
type both struct {
	onRequest
	reply onReply
}

// OnReply implements filter.ReplyFilter.
func (f *both) OnReply(x filter.Exchange) { f.reply.OnReply(x) }

var (
	_ filter.RequestFilter = (*both)(nil)
	_ filter.ReplyFilter   = (*both)(nil)
)
