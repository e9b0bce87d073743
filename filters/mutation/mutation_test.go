package mutation

import (
	"strings"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec"
	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filter/filtertest"
)

func TestMutation(t *testing.T) {
	filtertest.Run(t, Filter{}, `{"request":[{"property":"user","value":"x"}]}`)
	filtertest.Run(t, Filter{}, `{"response":[{"op":"remove","property":"header[user]"}]}`)
	filtertest.Run(t, Filter{}, `{"request":[{"op":"add","property":"a","value":""}],"response":[{"op":"set","property":"b","value":"y"}]}`)
}

func TestMutationNamesTheFault(t *testing.T) {
	for config, want := range map[string]string{
		`{"request":[{"property":"method","value":"x"}]}`:                 "cannot be changed",
		`{"request":[{"property":"user"}]}`:                               "request[0]: value: is missing",
		`{"response":[{"op":"remove","property":"user","value":"x"}]}`:    "response[0]: value: remove takes none",
		`{"request":[{"op":"replace","property":"user","value":"x"}]}`:    `op: "replace"`,
		`{"request":[{"op":"set","property":"other[user]","value":"x"}]}`: "attribute",
	} {
		if _, err := (Filter{}).Parse([]byte(config), filtertest.Protocol{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

func TestMutationEditsInOrder(t *testing.T) {
	inst, err := Filter{}.Parse([]byte(`{"request":[{"property":"a","value":"1"},{"op":"remove","property":"b"}],"response":[{"op":"add","property":"c","value":"3"}]}`), filtertest.Protocol{})
	if err != nil {
		t.Fatal(err)
	}
	x := &filtertest.Exchange{}
	inst.(filter.RequestFilter).OnRequest(x)
	if len(x.Edits) != 2 || x.Edits[0].Op != codec.Set || x.Edits[1].Ref.Key != "b" || x.Edits[1].Op != codec.Remove {
		t.Errorf("%+v", x.Edits)
	}
	inst.(filter.ReplyFilter).OnReply(x)
	if len(x.Edits) != 3 || string(x.Edits[2].Value) != "3" {
		t.Errorf("%+v", x.Edits)
	}
}
