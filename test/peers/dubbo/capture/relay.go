package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// headerLength is that of a Dubbo message; its last four bytes are the length of the body.
const headerLength = 16

// readMessage reads one Dubbo message whole.
func readMessage(r io.Reader) ([]byte, error) {
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	if header[0] != 0xda || header[1] != 0xbb {
		return nil, fmt.Errorf("no Dubbo header: %x", header)
	}
	message := append(header, make([]byte, binary.BigEndian.Uint32(header[12:]))...)
	_, err := io.ReadFull(r, message[headerLength:])
	return message, err
}

// relay passes connections on message by message and keeps what went through.
type relay struct {
	listener net.Listener

	mu        sync.Mutex
	to        string
	lines     []string
	opened    int
	connected map[net.Conn]bool
	replied   chan struct{} // closed by the first message of the provider
	running   sync.WaitGroup
}

func newRelay() (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, connected: map[net.Conn]bool{}}
	go r.accept()
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) close() { r.listener.Close() }

func (r *relay) target(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = addr
}

// begin starts a file.
func (r *relay) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.opened, r.replied = nil, 0, make(chan struct{})
}

// end closes what is still open and returns the file's lines.
func (r *relay) end() []string {
	r.mu.Lock()
	for c := range r.connected {
		c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

// awaitReply returns when the provider has said something.
func (r *relay) awaitReply(ctx context.Context) error {
	select {
	case <-r.replied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		to := r.to
		r.mu.Unlock()
		server, err := net.DialTimeout("tcp", to, 5*time.Second)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		r.connected[client], r.connected[server] = true, true
		r.running.Add(2)
		r.mu.Unlock()
		var once sync.Once
		started := func() { once.Do(r.started) }
		go r.copy("C", client, server, started)
		go r.copy("S", server, client, started)
	}
}

// started marks a further connection; one that says nothing (a probe) leaves no trace.
func (r *relay) started() {
	if r.opened++; r.opened > 1 {
		r.lines = append(r.lines, fmt.Sprintf("# connection %d", r.opened))
	}
}

func (r *relay) copy(side string, from, to net.Conn, started func()) {
	defer r.running.Done()
	defer func() {
		from.Close()
		to.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.connected, from)
	}()
	for {
		message, err := readMessage(from)
		if err != nil {
			return
		}
		r.mu.Lock()
		started()
		r.lines = append(r.lines, side+" "+hex.EncodeToString(message))
		if side == "S" && r.replied != nil {
			select {
			case <-r.replied:
			default:
				close(r.replied)
			}
		}
		r.mu.Unlock()
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}
