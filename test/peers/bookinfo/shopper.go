package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// answer is what became of one request.
type answer struct {
	err          error  // nil: the right reply came
	wrong        bool   // a reply came that does not belong to the request
	notConnected bool   // there is no connection, and none was to be had
	version      string // the server that said it was its reply
	text         string // for -print
}

// wrongReply is a well-formed reply that does not answer the request.
type wrongReply struct{ want, got string }

// Error implements error.
func (e *wrongReply) Error() string { return fmt.Sprintf("want %.80q, got %.80q", e.want, e.got) }

// shopper is the product page: one connection with one request in flight.
type shopper struct {
	o      *clientOptions
	caller caller
	turn   int
}

func newShopper(o *clientOptions) *shopper {
	return &shopper{o: o, caller: caller{target: o.target, timeout: o.timeout}}
}

// call sends one request that carries token and judges its reply.
func (s *shopper) call(token string) answer {
	method := s.o.methods[s.turn]
	s.turn = (s.turn + 1) % len(s.o.methods)
	m := s.request(method, token)
	reply, err := s.caller.call(context.Background(), m)
	a := answer{err: err}
	if reply != nil {
		a.err = judge(m, reply)
		a.version = reply.header["server"]
	}
	var dial *dialError
	var wrong *wrongReply
	a.notConnected = errors.As(err, &dial)
	a.wrong = errors.As(a.err, &wrong) || errors.Is(a.err, errForeign)
	if s.o.print {
		a.text = describe(reply, a.err)
	}
	return a
}

func (s *shopper) request(method, token string) *message {
	m := &message{kind: kindRequest, header: maps.Clone(map[string]string(s.o.headers))}
	m.header["service"], m.header["method"], m.header["token"] = s.o.service, method, token
	if s.o.user != "" {
		m.header["user"] = s.o.user
	}
	switch method {
	case "notify":
		m.kind = kindOneway
	case "echo":
		m.body = []byte(token + strings.Repeat(".", max(0, s.o.payload-len(token))))
	}
	return m
}

// judge returns nil if reply is what m's method must answer.
func judge(m, reply *message) error {
	status := uint8(statusOK)
	switch m.header["method"] {
	case "fail":
		status = statusFailed
	case "missing":
		status = statusRefused
	}
	from := reply.header["server"]
	if reply.status != status || status == statusRefused && from == "" {
		return &refusal{reply.status, string(reply.body)} // also a proxy's own answer
	}
	for _, key := range []string{"token", "service"} {
		if reply.header[key] != m.header[key] {
			return &wrongReply{want: m.header[key], got: reply.header[key]}
		}
	}
	switch m.header["method"] {
	case "echo":
		if string(reply.body) != string(m.body) {
			return &wrongReply{want: string(m.body), got: string(reply.body)}
		}
	case "get":
		return judgeBook(m, from, reply.body)
	}
	return nil
}

// judgeBook looks for the token, and at reviews for the stars of the version.
func judgeBook(m *message, version string, body []byte) error {
	var got struct {
		ID      string   `json:"id"`
		Reviews []review `json:"reviews"`
	}
	if err := json.Unmarshal(body, &got); err != nil || got.ID != m.header["token"] {
		return &wrongReply{want: m.header["token"], got: string(body)}
	}
	if m.header["service"] != "reviews" {
		return nil
	}
	if len(got.Reviews) == 0 {
		return &wrongReply{want: "reviews", got: string(body)}
	}
	for _, r := range got.Reviews {
		color := ""
		if r.Rating != nil {
			color = r.Rating.Color
		}
		if color != stars[version] {
			return &wrongReply{want: "stars " + stars[version], got: string(body)}
		}
	}
	return nil
}

func describe(reply *message, err error) string {
	if reply == nil {
		if err == nil {
			return "sent; no reply is expected"
		}
		return "error: " + err.Error()
	}
	header, jsonErr := json.Marshal(reply.header)
	if jsonErr != nil {
		panic(jsonErr) // a map of strings
	}
	text := fmt.Sprintf("%s %s", header, reply.body)
	if err != nil {
		text += " error: " + err.Error()
	}
	return text
}
