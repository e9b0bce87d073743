package load

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each reading costs 7 objects, and now and then 500 more; the window 100.
func TestObjectsAreThoseOfTheWindowAndNotOfReading(t *testing.T) {
	allocated, readings := 1000, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if readings++; readings%5 == 0 {
			allocated += 500
		}
		fmt.Fprintf(w, "# TYPE %s counter\n%[1]s_not 1\n%[1]s %e\n", mallocs, float64(allocated))
		allocated += 7
	}))
	defer s.Close()
	m := newMeter(s.URL)
	if err := m.calibrate(); err != nil {
		t.Fatal(err)
	}
	allocated += 100
	if n, err := m.since(); n != 100 || err != nil {
		t.Errorf("%d objects, error %v, want 100", n, err)
	}
}

func TestObjectsAreNotMadeUp(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if err := newMeter(s.URL).calibrate(); err == nil || !strings.Contains(err.Error(), mallocs) {
		t.Errorf("error %v, want one that names %s", err, mallocs)
	}
}
