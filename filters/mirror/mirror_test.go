package mirror

import (
	"testing"

	"github.com/aeraki-mesh/aeraki/filter"
	"github.com/aeraki-mesh/aeraki/filter/filtertest"
)

func TestMirror(t *testing.T) {
	filtertest.Run(t, Filter{}, `{"cluster":"copy"}`)
	filtertest.Run(t, Filter{}, `{"cluster":"copy","percent":12.5}`)
	for _, bad := range []string{`{}`, `{"cluster":""}`, `{"cluster":"c","percent":0}`, `{"cluster":"c","percent":100.1}`, `{"cluster":"c","percent":-1}`} {
		if _, err := (Filter{}).Parse([]byte(bad), filtertest.Protocol{}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestMirrorCopiesTheShareAskedFor(t *testing.T) {
	inst, err := Filter{}.Parse([]byte(`{"cluster":"copy","percent":25}`), filtertest.Protocol{})
	if err != nil {
		t.Fatal(err)
	}
	x := &filtertest.Exchange{}
	for i := range uint64(1000) {
		x.Randoms = append(x.Randoms, i<<54+i<<44)
		inst.(filter.RequestFilter).OnRequest(x)
	}
	if n := len(x.Copies); n < 240 || n > 260 {
		t.Errorf("%d of 1000 were copied, not 25%%", n)
	}
}
