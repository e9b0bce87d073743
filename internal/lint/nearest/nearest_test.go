package nearest

import "testing"

func TestDistanceCountsSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"thrift", "thrift", 0}, {"thritf", "thrift", 1}, {"metaprotocl", "metaprotocol", 1},
		{"dubo", "dubbo", 1}, {"duboo", "dubbo", 1}, {"abc", "", 3}, {"redis", "kafka", 5},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestOfFindsWhatWasMeant(t *testing.T) {
	hosts := []string{"hello.demo.svc.cluster.local", "help.demo.svc.cluster.local", "v1", "v2"}
	for word, want := range map[string]string{
		"hello":                        "hello.demo.svc.cluster.local",
		"hello.demo":                   "hello.demo.svc.cluster.local",
		"helo.demo.svc.cluster.local":  "hello.demo.svc.cluster.local",
		"hell.demo.svc.cluster.local":  "hello.demo.svc.cluster.local",
		"Hello.demo.svc.cluster.local": "hello.demo.svc.cluster.local",
		"v3":                           "v1",
		"":                             "",
		"mysql":                        "",
		"v1":                           "v2", // the word itself is no advice
	} {
		if got := Of(word, hosts); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
