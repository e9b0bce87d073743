package controller

import (
	"fmt"
	"testing"
)

func TestNamesAreToldOnceAndNotAll(t *testing.T) {
	if got := namesText([]string{"b", "a", "b"}); got != "a, b" {
		t.Errorf("told %q", got)
	}
	if got := namesText(nil); got != "" {
		t.Errorf("told %q of nothing", got)
	}
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("r%02d", i), fmt.Sprintf("r%02d", i))
	}
	if got, want := namesText(many), "r00, r01, r02, r03, r04, r05, r06, r07, r08, r09 and 15 more"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
