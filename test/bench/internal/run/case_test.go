package run

import "testing"

func TestParseCase(t *testing.T) {
	tests := []struct {
		name string
		want Case
	}{
		{"thrift-64x1", Case{Wire: "thrift", Conns: 64, Depth: 1, Size: 128}},
		{"dubbo-16x16-4k", Case{Wire: "dubbo", Conns: 16, Depth: 16, Size: 4096}},
		{"thrift-open", Case{Wire: "thrift", Conns: 64, Size: 128, Rate: 20000}},
		{"dubbo-open500-4k", Case{Wire: "dubbo", Conns: 64, Size: 4096, Rate: 500}},
		{"thrift-16x16-4k-heap", Case{Wire: "thrift", Conns: 16, Depth: 16, Size: 4096, Heap: true}},
		{"dubbo-idle", Case{Wire: "dubbo", Size: 128, Idle: true}},
	}
	for _, tt := range tests {
		tt.want.Name = tt.name
		if got, err := ParseCase(tt.name); err != nil || got != tt.want {
			t.Errorf("%s: %+v, error %v", tt.name, got, err)
		}
	}
	for _, bad := range []string{"", "thrift", "redis-1x1", "thrift-0x1", "thrift-1x0", "thrift-1x-1", "dubbo-x", "dubbo-idle-4k", "dubbo-idle-heap", "thrift-1x1x1", "thrift-open-5", "thrift-open0", "thrift-openx"} {
		if c, err := ParseCase(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, c)
		}
	}
}

func TestDefaultCasesAreCases(t *testing.T) {
	for _, name := range DefaultCases() {
		if _, err := ParseCase(name); err != nil {
			t.Error(err)
		}
	}
}
