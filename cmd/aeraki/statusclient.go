package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// statusTimeout bounds each question to the controller.
const statusTimeout = 5 * time.Second

// askStatus asks the controller that listens at the address.
func askStatus(ctx context.Context, address string) (*proxyStatus, error) {
	if ctx == nil {
		ctx = context.Background() // completion runs without one
	}
	c := statusClient{address: address, http: http.Client{Timeout: statusTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			network, target := "tcp", address
			if path, unix := strings.CutPrefix(address, "unix:"); unix {
				network, target = "unix", path
			}
			return (&net.Dialer{}).DialContext(ctx, network, target)
		}}}}
	defer c.http.CloseIdleConnections()
	s := &proxyStatus{}
	if err := c.get(ctx, "/status/proxies", &s.Proxies); err != nil {
		return nil, err
	}
	return s, c.get(ctx, "/status/diagnostics", &s.Diagnostics)
}

// statusClient reads a controller's status.
type statusClient struct {
	address string
	http    http.Client
}

func (c *statusClient) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://controller"+path, nil)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("no controller answers at %s (%w); start one with aeraki controller, or name its --status", c.address, rootCause(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s, so it is no controller's status; name the address of aeraki controller --status", c.address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("%s tells no status that this version reads (%w); use the aeraki of the controller's version", c.address, err)
	}
	return nil
}

// rootCause leaves out the made-up URL that wraps what happened.
func rootCause(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}
