package thrift

import (
	"os"
	"testing"

	"github.com/aeraki-mesh/aeraki/codec/codectest"
)

func kit() codectest.Kit {
	return codectest.Kit{
		Protocol: New(),
		Captures: os.DirFS("testdata/captures"),
		Keys:     []string{"user", "city"},
	}
}

func TestConformance(t *testing.T) { codectest.Run(t, kit()) }

func FuzzDecoder(f *testing.F) { codectest.Fuzz(f, kit()) }
