package dubbo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
)

func TestHessianAsJavaWritesIt(t *testing.T) {
	testWritten(t, "testdata/hessian/hessian-lite-3.2.13.txt", hessian2)
	testWritten(t, "testdata/hessian/hessian-lite-4.0.4.txt", hessian2)
}

// tree is an object whose class is defined where it is first met.
type tree struct {
	Name     string
	Weight   float64
	Left     *tree
	Children []any
}

func (tree) JavaClassName() string { return "org.example.Tree" }

// leaf is an object of another class.
type leaf struct {
	ID   int64
	When time.Time
}

func (leaf) JavaClassName() string { return "org.example.Leaf" }

// randomValue makes a value that dubbo-go can encode.
func randomValue(r *rand.Rand, depth int) any {
	kinds := 14
	if depth == 0 {
		kinds = 9
	}
	switch r.IntN(kinds) {
	case 0:
		return int32(r.Int32() >> r.IntN(32))
	case 1:
		return -r.Int64() >> r.IntN(64)
	case 2:
		return randomText(r)
	case 3:
		return r.IntN(2) == 0
	case 4:
		return []float64{0, 1, -7, 300, 1.5, r.NormFloat64()}[r.IntN(6)]
	case 5:
		return make([]byte, []int{0, 3, 15, 16, 1023, 1024, 9000}[r.IntN(7)])
	case 6:
		return nil
	case 7:
		return time.UnixMilli(r.Int64N(1 << 41))
	case 8:
		return &leaf{ID: r.Int64(), When: time.UnixMilli(60000 * r.Int64N(1<<20))}
	case 9:
		list := make([]any, r.IntN(12))
		for i := range list {
			list[i] = randomValue(r, depth-1)
		}
		return list
	case 10, 11:
		m := map[any]any{}
		for range r.IntN(5) {
			m[randomText(r)] = randomValue(r, depth-1)
		}
		return m
	case 12:
		return []string{randomText(r), randomText(r)}
	}
	node := &tree{Name: randomText(r), Weight: r.Float64(), Children: []any{randomValue(r, depth-1)}}
	if r.IntN(2) == 0 {
		node.Left = node // a reference
	}
	return node
}

func randomText(r *rand.Rand) string {
	alphabet := []string{"a", "é", "中", "😀", "xyzxyzxyzxyz"}[:1+r.IntN(5)]
	var b strings.Builder
	for range []int{0, 1, 5, 31, 32, 33, 1023, 1024, 5000}[r.IntN(9)] {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// Whatever dubbo-go encodes is passed over to its very end, one value after
// the other, with the references and classes that they share.
func TestHessianAsDubboGoWritesIt(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := hessian.NewEncoder()
		var values []any
		var ends []int
		for range 1 + r.IntN(5) {
			v := randomValue(r, 4)
			if err := e.Encode(v); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			values, ends = append(values, v), append(ends, headerLen+len(e.Buffer()))
		}
		c := new(cursor)
		c.start(append(make([]byte, headerLen), e.Buffer()...), headerLen, hessian2, 64)
		for i, end := range ends {
			v, ok := c.element()
			if !ok || c.off != end {
				t.Fatalf("seed %d: value %d, %T, ends at %d, not at %d", seed, i, values[i], end, c.off)
			}
			testScalar(t, fmt.Sprintf("seed %d, value %d", seed, i), c, v, values[i])
		}
	}
}

// testScalar compares what was read with what was encoded.
func testScalar(t *testing.T, label string, c *cursor, got scalar, encoded any) {
	t.Helper()
	want := "other"
	switch v := encoded.(type) {
	case nil:
		want = "null"
	case int32, int64:
		want = fmt.Sprintf("int:%d", v)
	case bool:
		want = fmt.Sprint(v)
	case string:
		want = "text:" + v
		if len([]rune(v)) > 4000 {
			return // in pieces
		}
	}
	if name := nameOf(c, got); name != want {
		t.Errorf("%s: read as %.60q, encoded %.60q", label, name, want)
	}
}

func TestHessianTextSurvivesDubboGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := strings.Repeat(randomText(r), 1+r.IntN(12))
		got, err := hessian.NewDecoder(appendHessianText(nil, text)).Decode()
		if err != nil || got != text {
			t.Fatalf("%v: %.60q became %.60q", err, text, got)
		}
	}
}
