package ir

// Limits bound what one listener of a proxy holds for its peers. 0: the
// proxy's default.
type Limits struct {
	// MaxMessageBytes is the size of a whole message.
	MaxMessageBytes uint64 `json:"maxMessageBytes,omitempty"`
	// MaxProperties is the number of entries of one keyed family.
	MaxProperties uint32 `json:"maxProperties,omitempty"`
	// MaxConnections is the number of downstream connections.
	MaxConnections uint32 `json:"maxConnections,omitempty"`
	// MaxRequestsPerConnection and MaxRequests are requests in flight, of one
	// downstream connection and of one worker.
	MaxRequestsPerConnection uint32 `json:"maxRequestsPerConnection,omitempty"`
	MaxRequests              uint32 `json:"maxRequests,omitempty"`
}
