package ir

import "strconv"

// MutationFilter changes requests and replies, in the order given.
type MutationFilter struct {
	Request  []Mutation `json:"request,omitempty"`
	Response []Mutation `json:"response,omitempty"`
}

// Mutation is one change: Op is set, add or remove.
type Mutation struct {
	Op       string `json:"op"`
	Property string `json:"property"`
	Value    string `json:"value,omitempty"`
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
