package route

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	proxyv1 "github.com/aeraki-mesh/aeraki/api/proxy/v1"
	"github.com/aeraki-mesh/aeraki/codec"
)

// described is a protocol and a request given by its properties.
type described struct {
	codec.Protocol
	values map[codec.Ref]codec.Value
	reads  int
}

func (*described) Properties() []codec.Property {
	return []codec.Property{{Name: "method"}, {Name: "argument", Keyed: true}, {Name: "header", Keyed: true, Fallback: true}}
}

func (d *described) Get(_ []byte, _ *codec.Message, r codec.Ref) (codec.Value, bool) {
	d.reads++
	v, ok := d.values[r]
	return v, ok
}

func request(properties ...string) *described {
	d := &described{values: map[codec.Ref]codec.Value{}}
	for _, p := range properties {
		name, v, _ := strings.Cut(p, "=")
		ref, err := codec.FindProperty(d.Properties(), name)
		if err != nil {
			panic(err)
		}
		val := codec.Value{Bytes: []byte(v)}
		if digits, ok := strings.CutPrefix(v, "#"); ok {
			val = codec.Value{IsInt: true}
			fmt.Sscan(digits, &val.Int)
		}
		d.values[ref] = val
	}
	return d
}

func compile(t *testing.T, json string, s Source) (*Table, error) {
	t.Helper()
	rc := &proxyv1.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(json), rc); err != nil {
		t.Fatal(err)
	}
	return Compile(rc, Options{Protocol: request(), Source: s})
}

func mustCompile(t *testing.T, json string, s Source) *Table {
	t.Helper()
	table, err := compile(t, json, s)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func routeJSON(name, matches string) string {
	return fmt.Sprintf(`{"name":%q,"matches":[%s],"clusters":[{"name":%q,"weight":1}]}`, name, matches, name)
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		match    string
		yes, not []string
	}{
		{`"property":"method","exact":"a"`, []string{"method=a"}, []string{"method=ab", "method=A", "method=", "x=a"}},
		{`"property":"method","exact":"a","invert":true`, []string{"method=ab", "x=a"}, []string{"method=a"}},
		{`"property":"user","prefix":"ja"`, []string{"user=jason"}, []string{"user=j", "method=ja"}},
		{`"property":"user","suffix":"on"`, []string{"user=jason"}, []string{"user=n"}},
		{`"property":"user","regex":"j.*n|bob"`, []string{"user=jason", "user=bob"}, []string{"user=bobo", "user=xjn"}},
		{`"property":"user","present":true`, []string{"user="}, []string{"method=x"}},
		{`"property":"user","present":false`, []string{"method=x"}, []string{"user="}},
		{`"property":"argument[0]","range":{"start":-5,"end":10}`,
			[]string{"argument[0]=#9", "argument[0]=#-5", "argument[0]=7"},
			[]string{"argument[0]=#10", "argument[0]=x", "argument[0]=", "argument[1]=#5", "argument[0]=99999999999999999999"}},
		{`"property":"argument[0]","exact":"-42"`, []string{"argument[0]=#-42", "argument[0]=-42"}, []string{"argument[0]=#42"}},
	} {
		table := mustCompile(t, `{"routes":[`+routeJSON("r", `{"properties":[{`+c.match+`}]}`)+`]}`, Source{})
		var mt Matcher
		for _, p := range c.yes {
			if table.Match(&mt, request(p), nil, nil) == nil {
				t.Errorf("%s does not match %s", c.match, p)
			}
		}
		for _, p := range c.not {
			if table.Match(&mt, request(p), nil, nil) != nil {
				t.Errorf("%s matches %s", c.match, p)
			}
		}
	}
}

func TestFirstMatchWinsWithAndOverOr(t *testing.T) {
	table := mustCompile(t, `{"routes":[`+strings.Join([]string{
		routeJSON("both", `{"properties":[{"property":"method","exact":"a"},{"property":"user","exact":"u"}]}`),
		routeJSON("either", `{"properties":[{"property":"method","exact":"a"}]},{"properties":[{"property":"method","exact":"b"}]}`),
		routeJSON("all", ``),
	}, ",")+`]}`, Source{})
	var mt Matcher
	for in, want := range map[string]string{"method=a,user=u": "both", "method=a": "either", "method=b,user=u": "either", "method=c": "all", "x=y": "all"} {
		if got := table.Match(&mt, request(strings.Split(in, ",")...), nil, nil); got == nil || got.Name != want {
			t.Errorf("%s goes to %+v, want %s", in, got, want)
		}
	}
}

func TestIndexAgreesWithScan(t *testing.T) {
	var routes []string
	for i := range 200 {
		m := fmt.Sprintf(`{"properties":[{"property":"method","exact":"m%d"}]}`, i%150)
		switch i % 10 {
		case 3:
			m += fmt.Sprintf(`,{"properties":[{"property":"method","exact":"m%d"},{"property":"user","present":true}]}`, i+1)
		case 7:
			m = fmt.Sprintf(`{"properties":[{"property":"method","prefix":"m%d"}]}`, i)
		}
		routes = append(routes, routeJSON(fmt.Sprint("r", i), m))
	}
	table := mustCompile(t, `{"routes":[`+strings.Join(routes, ",")+`]}`, Source{})
	if table.index.routes == nil {
		t.Fatal("200 routes by method are not indexed")
	}
	scan := *table
	scan.index = index{}
	var mt Matcher
	for i := range 220 {
		for _, extra := range []string{"x=y", "user=u"} {
			r := request(fmt.Sprint("method=m", i), extra)
			if a, b := table.Match(&mt, r, nil, nil), scan.Match(&mt, r, nil, nil); a != b {
				t.Errorf("m%d: index %v, scan %v", i, a, b)
			}
		}
	}
}

func TestSource(t *testing.T) {
	json := `{"routes":[` + routeJSON("r", `{"source":{"namespace":"demo","labels":{"app":"client"}}}`) + `]}`
	var mt Matcher
	for _, c := range []struct {
		s    Source
		want bool
	}{
		{Source{Namespace: "demo", Labels: map[string]string{"app": "client", "v": "1"}, Known: true}, true},
		{Source{Namespace: "other", Labels: map[string]string{"app": "client"}, Known: true}, false},
		{Source{Namespace: "demo", Labels: map[string]string{"app": "x"}, Known: true}, false},
		{Source{Namespace: "demo", Labels: map[string]string{"app": "client"}}, false},
	} {
		table := mustCompile(t, json, c.s)
		if got := table.Match(&mt, request(), nil, nil) != nil; got != c.want {
			t.Errorf("%+v: %v", c.s, got)
		}
		if steps := table.Explain(request().Properties(), request(), nil, nil); !c.want && steps[0].Why[0] == "" {
			t.Error("no reason given")
		}
	}
}

func TestCompileNamesTheFault(t *testing.T) {
	good := `"clusters":[{"name":"c","weight":1}]`
	for json, want := range map[string]string{
		`{"name":"rc","routes":[{"name":"r"}]}`:                                                                                      "clusters",
		`{"routes":[{"clusters":[{"name":"c"}]}]}`:                                                                                   "add up to 0",
		`{"routes":[{"matches":[{"properties":[{"property":"header","exact":"x"}]}],` + good + `}]}`:                                 "",
		`{"routes":[{"matches":[{"properties":[{"property":"method[x","exact":"x"}]}],` + good + `}]}`:                               "name[key]",
		`{"routes":[{"matches":[{"properties":[{"property":"method"}]}],` + good + `}]}`:                                             "compared with nothing",
		`{"routes":[{"matches":[{"properties":[{"property":"method","regex":"("}]}],` + good + `}]}`:                                 "regex",
		`{"routes":[{"matches":[{"properties":[{"property":"method","regex":"` + strings.Repeat("a", 2000) + `"}]}],` + good + `}]}`: "over 1024",
		`{"routes":[{"matches":[{"properties":[{"property":"method","range":{"start":3,"end":3}}]}],` + good + `}]}`:                 "empty",
		`{"routes":[{` + good + `,"filters":[{"name":"nope"}]}]}`:                                                                    "no such filter",
		`{"routes":[{` + good + `,"timeout":"-1s"}]}`:                                                                                "negative",
	} {
		_, err := compile(t, json, Source{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", json, err, want)
		}
	}
}

func TestMatchReadsEachPropertyOnceAndAllocatesNothing(t *testing.T) {
	var routes []string
	for i := range 3 {
		routes = append(routes, routeJSON(fmt.Sprint(i), fmt.Sprintf(`{"properties":[{"property":"user","prefix":"u%d"},{"property":"argument[0]","exact":"1"}]}`, i)))
	}
	table := mustCompile(t, `{"routes":[`+strings.Join(routes, ",")+`]}`, Source{})
	var mt Matcher
	r := request("user=u2", "argument[0]=#1")
	if got := table.Match(&mt, r, nil, nil); got == nil || got.Index != 2 || r.reads != 2 {
		t.Fatalf("%+v after %d reads", got, r.reads)
	}
	if n := testing.AllocsPerRun(100, func() { table.Match(&mt, r, nil, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCompileKeepsWhatRoutesSay(t *testing.T) {
	table := mustCompile(t, `{"name":"n","routes":[{"name":"r","timeout":"1.5s","clusters":[{"name":"b","weight":20},{"name":"a","weight":80}],"hashPolicy":[{"sourceAddress":true},{"property":"user"}]}]}`, Source{})
	r := table.Routes[0]
	if r.Total != 100 || r.Timeout != 1500*time.Millisecond || len(r.Hash) != 2 || !table.Want().Has(2) || fmt.Sprint(table.Clusters()) != "[a b]" {
		t.Errorf("%+v", r)
	}
}
