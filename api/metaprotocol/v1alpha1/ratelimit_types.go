package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LocalRateLimit limits requests per proxy. Upstream's fields; the control
// plane refuses a router that has them, by name, until they are in force.
type LocalRateLimit struct {
	TokenBucket *TokenBucket              `json:"tokenBucket,omitempty"`
	Conditions  []LocalRateLimitCondition `json:"conditions,omitempty"`
}

// LocalRateLimitCondition is a bucket for the requests that match.
type LocalRateLimitCondition struct {
	Match       *MetaRouteMatch `json:"match,omitempty"`
	TokenBucket *TokenBucket    `json:"tokenBucket,omitempty"`
}

// TokenBucket is filled with TokensPerFill every FillInterval up to MaxTokens.
type TokenBucket struct {
	MaxTokens     uint32           `json:"maxTokens"`
	TokensPerFill uint32           `json:"tokensPerFill,omitempty"`
	FillInterval  *metav1.Duration `json:"fillInterval,omitempty"`
}

// GlobalRateLimit asks a rate limit service. Upstream's fields.
type GlobalRateLimit struct {
	Domain           string                      `json:"domain"`
	Match            *MetaRouteMatch             `json:"match,omitempty"`
	RateLimitService string                      `json:"rateLimitService"`
	RequestTimeout   *metav1.Duration            `json:"requestTimeout,omitempty"`
	DenyOnFail       bool                        `json:"denyOnFail,omitempty"`
	Descriptors      []GlobalRateLimitDescriptor `json:"descriptors,omitempty"`
}

// GlobalRateLimitDescriptor maps a property to a descriptor's entry.
type GlobalRateLimitDescriptor struct {
	Property      string `json:"property"`
	DescriptorKey string `json:"descriptorKey"`
}
