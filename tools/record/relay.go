package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// relay copies both ways between client and a new connection to the server, until both have ended or
// ctx is done. Bytes are recorded before they go on: no answer can come to the record before what
// it answers. How a connection ends is no error.
func relay(ctx context.Context, client net.Conn, to string, t *transcript) error {
	defer client.Close()
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		return err
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var up, down error
	var both sync.WaitGroup
	both.Go(func() { up = pass(client, server, fromClient, t) })
	both.Go(func() { down = pass(server, client, fromServer, t) })
	both.Wait()
	return errors.Join(up, down)
}

// pass copies one direction and hands its end on.
func pass(from, to net.Conn, who side, t *transcript) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			t.add(who, buf[:n])
			if _, writeErr := to.Write(buf[:n]); err == nil {
				err = writeErr
			}
		}
		if err == nil {
			continue
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
			// The other side may have gone already.
			_ = half.CloseWrite()
			return nil
		}
		to.Close()
		return unlessEnd(err)
	}
}

// unlessEnd returns nil for the errors with which a connection ends.
func unlessEnd(err error) error {
	for _, end := range []error{io.EOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}
