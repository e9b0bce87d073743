package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shop answers the requests of one service.
type shop struct {
	service string
	name    string
	ratings *caller // of reviews v2 and v3; nil: no stars
}

// stars is the color of a version's stars; without one it has none.
var stars = map[string]string{"v2": "black", "v3": "red"}

// rating is what reviews adds to a review.
type rating struct {
	Stars int    `json:"stars"`
	Color string `json:"color"`
}

type review struct {
	Reviewer string  `json:"reviewer"`
	Text     string  `json:"text"`
	Rating   *rating `json:"rating,omitempty"`
}

// The replies' bodies. ID is the request's token: whoever gets the reply of
// another request sees it.
type (
	reviewsReply struct {
		ID      string   `json:"id"`
		Reviews []review `json:"reviews"`
	}
	ratingsReply struct {
		ID      string         `json:"id"`
		Ratings map[string]int `json:"ratings"`
	}
	detailsReply struct {
		ID     string `json:"id"`
		Author string `json:"author"`
		Year   int    `json:"year"`
		Pages  int    `json:"pages"`
	}
)

// The methods of every service: get is the service's own, echo answers with
// the body, fail with an error of the application, notify is one-way. Others
// are refused; "missing" is the name for one that is none.
var served = []string{"get", "echo", "fail", "notify"}

// handle answers a request.
func (s *shop) handle(ctx context.Context, m *message) *message {
	reply := &message{kind: kindReply, id: m.id, header: map[string]string{
		"server": s.name, "service": s.service, "token": m.header["token"],
	}}
	for key, value := range m.header {
		if !slices.Contains([]string{"service", "method", "token"}, key) {
			reply.header["echo-"+key] = value // so a client sees what reached the server
		}
	}
	if m.header["service"] != s.service {
		return refuse(reply, statusRefused, fmt.Sprintf("this is %s, not %s", s.service, m.header["service"]))
	}
	switch m.header["method"] {
	case "get":
		body, err := s.get(ctx, m)
		if err != nil {
			return refuse(reply, statusFailed, err.Error())
		}
		reply.body = body
	case "echo", "notify":
		reply.body = m.body
	case "fail":
		return refuse(reply, statusFailed, "as you wished")
	default:
		return refuse(reply, statusRefused, "no such method")
	}
	return reply
}

func refuse(reply *message, status uint8, text string) *message {
	reply.status, reply.body = status, []byte(text)
	return reply
}

func (s *shop) get(ctx context.Context, m *message) ([]byte, error) {
	id := m.header["token"]
	switch s.service {
	case "ratings":
		return json.Marshal(ratingsReply{ID: id, Ratings: map[string]int{"Reviewer1": 5, "Reviewer2": 4}})
	case "details":
		return json.Marshal(detailsReply{ID: id, Author: "William Shakespeare", Year: 1595, Pages: 200})
	}
	reviews := []review{
		{Reviewer: "Reviewer1", Text: "An extremely entertaining play by Shakespeare."},
		{Reviewer: "Reviewer2", Text: "Absolutely fun and entertaining."},
	}
	if s.ratings != nil {
		if err := s.rate(ctx, m, reviews); err != nil {
			return nil, fmt.Errorf("ratings: %s", errorText(err))
		}
	}
	return json.Marshal(reviewsReply{ID: id, Reviews: reviews})
}

// rate asks ratings for the stars, on behalf of the same user.
func (s *shop) rate(ctx context.Context, m *message, reviews []review) error {
	header := maps.Clone(m.header)
	header["service"], header["method"] = "ratings", "get"
	reply, err := s.ratings.call(ctx, &message{kind: kindRequest, header: header})
	if err != nil {
		return err
	}
	if reply.status != statusOK {
		return &refusal{reply.status, string(reply.body)}
	}
	var got ratingsReply
	if err := json.Unmarshal(reply.body, &got); err != nil {
		return err
	}
	if got.ID != m.header["token"] {
		return errForeign
	}
	for i := range reviews {
		reviews[i].Rating = &rating{Stars: got.Ratings[reviews[i].Reviewer], Color: stars[s.name]}
	}
	return nil
}

// refusal is a reply that is no success.
type refusal struct {
	status uint8
	text   string
}

func (r *refusal) Error() string {
	text, _, _ := strings.Cut(r.text, "#") // without the token
	return fmt.Sprintf("%s: %s", [...]string{"ok", "failed", "refused"}[r.status], text)
}
