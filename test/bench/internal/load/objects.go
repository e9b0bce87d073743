package load

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mallocs is what Go's Prometheus collector calls the heap objects allocated
// since the process's start, tiny ones included.
const mallocs = "go_memstats_mallocs_total"

// meter reads how many heap objects a Go process has allocated. Asking costs
// objects too: calibrate finds how many, so that they can be taken off.
type meter struct {
	url    string
	client http.Client
	each   int64 // objects per reading
	from   int64 // at the window's start
}

func newMeter(url string) *meter {
	return &meter{url: url, client: http.Client{Timeout: 10 * time.Second}}
}

// calibrate reads at once after one another, while nothing else happens: what
// two readings differ by, one reading cost. The cheapest counts, since others
// met something that runs now and then; the first two opened the connection
// and grew buffers. It starts the window.
func (m *meter) calibrate() error {
	const warm, times = 2, 8
	var last int64
	for i := range warm + times {
		n, err := m.read()
		if err != nil {
			return err
		}
		if d := n - last; i == warm || i > warm && d < m.each {
			m.each = d
		}
		last = n
	}
	m.from = last
	return nil
}

// since is the number of objects since calibrate, without this reading's own.
func (m *meter) since() (int64, error) {
	n, err := m.read()
	return n - m.from - m.each, err
}

func (m *meter) read() (int64, error) {
	resp, err := m.client.Get(m.url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	found := int64(-1)
	// To the end: an unread rest would close the connection.
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		text, ok := strings.CutPrefix(in.Text(), mallocs+" ")
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", m.url, err)
		}
		found = int64(v)
	}
	if found < 0 {
		return 0, fmt.Errorf("%s (%s) has no %s", m.url, resp.Status, mallocs)
	}
	return found, nil
}
