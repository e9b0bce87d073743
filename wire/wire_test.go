package wire

import (
	"math"
	"testing"
)

func TestReaderIsSticky(t *testing.T) {
	r := NewReader([]byte{1, 2, 3}, 0)
	if r.U16() != 0x0102 || r.U32() != 0 || !r.Short() || r.Need() != 6 {
		t.Fatalf("short %v need %d", r.Short(), r.Need())
	}
	if r.U8() != 0 || r.Off() != 2 {
		t.Fatal("a short reader went on reading")
	}
}

func TestReaderRefusesNegativeAndHugeLengths(t *testing.T) {
	for _, n := range []int{-1, math.MinInt, math.MaxInt} {
		r := NewReader(make([]byte, 8), 4)
		if r.Bytes(n) != nil || !r.Short() {
			t.Errorf("%d bytes were read from 4", n)
		}
	}
}

func TestVarints(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, -64, 64, math.MaxInt64, math.MinInt64} {
		r := NewReader(AppendZigzag(nil, v), 0)
		if got := r.Zigzag(); got != v || r.Short() || r.Left() != 0 {
			t.Errorf("%d became %d", v, got)
		}
	}
	r := NewReader([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 0)
	if r.Uvarint(); !r.Short() || r.Need() != 0 {
		t.Error("a varint over 64 bits was accepted")
	}
}

func TestPatch(t *testing.T) {
	var p Patch
	for range 2 {
		p.Reset()
		p.Replace(6, 5, []byte("Envoy"))
		p.Replace(0, 0, []byte(">"))
		p.Open(5, 1)
		p.Ins = append(p.Ins, ", "...)
		p.Close()
		if got := string(p.AppendTo(nil, []byte("hello world!"))); got != ">hello, Envoy!" || p.Grow() != 2 {
			t.Fatalf("%q, grew %d", got, p.Grow())
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.Reset(); p.Replace(1, 1, []byte("x")) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSpanBeyondTheMessageIsNil(t *testing.T) {
	if MakeSpan(2, 3).Of([]byte("abcd")) != nil || string(MakeSpan(1, 2).Of([]byte("abcd"))) != "bc" {
		t.Fatal("span")
	}
}
