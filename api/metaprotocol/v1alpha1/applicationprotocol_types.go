package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationProtocol makes a protocol known: the middle token of port names
// (tcp-metaprotocol-<protocol>) and the codec that proxies decode it with.
type ApplicationProtocol struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ApplicationProtocolSpec `json:"spec"`
	Status            Status                  `json:"status,omitempty"`
}

// ApplicationProtocolSpec is what the user says of the protocol.
type ApplicationProtocolSpec struct {
	// Protocol is lower case letters and digits.
	Protocol string `json:"protocol"`
	// Codec is the codec's name; of upstream's dotted names
	// (aeraki.meta_protocol.codec.dubbo) the last part counts. Without it, the
	// protocol's own name.
	Codec string `json:"codec,omitempty"`
	// Parallel: servers work on several requests of one connection at once. Proxies
	// know it from the codec; it is shown to users. Added to upstream.
	Parallel bool `json:"parallel,omitempty"`
	// Properties are what rules may read, as "describe" of a proxy with the
	// codec prints them. Without any, a built-in codec's own are used; for
	// other codecs attributes are then not checked. Added to upstream.
	Properties []Property `json:"properties,omitempty"`
}

// Property is something in a message that rules may read.
type Property struct {
	// Name as rules write it.
	Name string `json:"name"`
	// Keyed: a family, written name[key].
	Keyed bool `json:"keyed,omitempty"`
	// Fallback: a name that is no other property is a key of this family.
	Fallback bool `json:"fallback,omitempty"`
	// Type is string (the default) or int.
	Type string `json:"type,omitempty"`
	// Mutable: mutations may name it.
	Mutable bool `json:"mutable,omitempty"`
	// Doc is one sentence for users.
	Doc string `json:"doc,omitempty"`
}
