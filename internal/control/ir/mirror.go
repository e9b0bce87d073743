package ir

// Mirror sends a copy of a share of the requests to a cluster.
type Mirror struct {
	Cluster string `json:"cluster"`
	// Percent is greater than 0 and at most 100.
	Percent float64 `json:"percent"`
}
