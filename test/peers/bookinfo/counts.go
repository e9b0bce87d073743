package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// countInterval is the shortest time between two rewrites of the count file.
const countInterval = 200 * time.Millisecond

// tally is what a server prints at its end and keeps in its count file. A request counts from the
// moment at which its handler starts, so that no client can have a reply that is not counted yet.
type tally struct {
	Name        string           `json:"name"`
	Served      int64            `json:"served"`
	ByMethod    map[string]int64 `json:"by_method"`
	Connections int64            `json:"connections"`   // accepted so far
	MaxInFlight int64            `json:"max_in_flight"` // handlers that ran at once, at most
}

// counts guards a tally; its methods may be called from any goroutine.
type counts struct {
	mu       sync.Mutex
	tally    tally
	inFlight int64
}

func newCounts(name string) *counts {
	return &counts{tally: tally{Name: name, ByMethod: map[string]int64{}}}
}

func (c *counts) begin(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Served++
	c.tally.ByMethod[method]++
	c.inFlight++
	c.tally.MaxInFlight = max(c.tally.MaxInFlight, c.inFlight)
}

func (c *counts) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
}

func (c *counts) accepted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Connections++
}

// line returns the tally as one line of JSON.
func (c *counts) line() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(&c.tally)
	return append(b, '\n'), err
}

// keepFile rewrites path while there is something new, until stop is closed, and once more then.
func (c *counts) keepFile(path string, stop <-chan struct{}) error {
	tick := time.NewTicker(countInterval)
	defer tick.Stop()
	var last string
	for done := false; ; {
		line, err := c.line()
		if err != nil {
			return err
		}
		if string(line) != last {
			if err := replaceFile(path, line); err != nil {
				return err
			}
			last = string(line)
		}
		if done {
			return nil
		}
		select {
		case <-stop:
			done = true
		case <-tick.C:
		}
	}
}

// replaceFile writes by renaming, so that a reader never meets half a file.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
