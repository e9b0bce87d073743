package dubbo

import (
	"encoding/binary"

	"github.com/aeraki-mesh/aeraki/codec"
)

// The status of a reply, as in Dubbo's remoting.exchange.Response.
const (
	statusOK              = 20
	statusServerTimeout   = 31
	statusBadRequest      = 40
	statusBadResponse     = 50
	statusServiceNotFound = 60
	statusServiceError    = 70
	statusServerError     = 80
	statusExhausted       = 100
)

// The codes of RpcException that a client has no status for.
const (
	codeForbidden     = 4
	codeLimitExceeded = 7
)

// answer is how a cause is told to clients: by a status or, with a code, as
// an RpcException that the call returns.
type answer struct {
	status, code byte
}

// answerTo chooses what clients turn into the right exception. Java's make 31
// a timeout, 25 a serialization error and all else a network error, and try
// those again elsewhere; 25 would say what is not so. A denied or limited
// call must not be tried again, and RpcException has codes for both; it
// reaches the caller as it is and is final.
func answerTo(c codec.Cause) answer {
	switch c {
	case codec.NoRoute:
		return answer{status: statusServiceNotFound}
	case codec.TimedOut:
		return answer{status: statusServerTimeout}
	case codec.Overflow:
		return answer{status: statusExhausted}
	case codec.Limited:
		return answer{status: statusServiceError, code: codeLimitExceeded}
	case codec.Denied:
		return answer{status: statusServiceError, code: codeForbidden}
	case codec.Fault:
		return answer{status: statusServiceError}
	case codec.Unsupported:
		return answer{status: statusBadRequest}
	case codec.BadReply:
		return answer{status: statusBadResponse}
	}
	return answer{status: statusServerError} // no cluster, no endpoint, no connection, a broken one
}

// AppendReply implements codec.Responder. The reply is in the request's
// serialization; where that cannot be written, in Hessian2, which clients
// accept for texts of errors but not for results.
func (p *Protocol) AppendReply(dst []byte, o *codec.Origin, r codec.LocalReply) []byte {
	a := answerTo(r.Cause)
	start := len(dst)
	if a.code != 0 && Readable(o.Variant) {
		dst = appendHeader(dst, o.Variant, statusOK, o.ID)
		return finish(appendException(dst, o.Variant == fastjson2, a.code, r.Text), start)
	}
	variant := hessian2
	if o.Variant == fastjson2 {
		variant = fastjson2
	}
	dst = appendHeader(dst, variant, a.status, o.ID)
	if variant == hessian2 {
		return finish(appendHessianText(dst, r.Text), start)
	}
	doc := len(dst)
	return finish(closeDoc(appendJSONBText(append(dst, 0, 0, 0, 0), r.Text), doc), start)
}

// closeDoc writes the length of the JSONB document that began at doc.
func closeDoc(dst []byte, doc int) []byte {
	binary.BigEndian.PutUint32(dst[doc:], uint32(len(dst)-doc-docLen))
	return dst
}

// rpcException is the class of the exceptions, on the list of those that
// clients agree to deserialize.
const rpcException = "org.apache.dubbo.rpc.RpcException"

// appendException appends a result that is an RpcException.
func appendException(dst []byte, json bool, code byte, text string) []byte {
	dst = appendResultType(dst, json, resultException)
	if !json {
		dst = append(dst, hessianClass)
		dst = appendHessianText(dst, rpcException)
		dst = append(dst, hessianZero+2)
		dst = appendHessianText(dst, "code")
		dst = appendHessianText(dst, "detailMessage")
		dst = append(dst, hessianObjectOf, hessianZero+code)
		return appendHessianText(dst, text)
	}
	doc := len(dst)
	dst = append(dst, 0, 0, 0, 0, jsonbTyped)
	dst = appendJSONBText(dst, rpcException)
	dst = append(dst, 0, jsonbObject) // the name's number
	dst = append(appendJSONBText(dst, "code"), code)
	dst = appendJSONBText(dst, "detailMessage")
	dst = append(appendJSONBText(dst, text), jsonbObjectEnd)
	return closeDoc(dst, doc)
}

// appendResultType appends what begins the body of a reply: an int in
// Hessian2, a byte in JSONB.
func appendResultType(dst []byte, json bool, t byte) []byte {
	if json {
		return append(dst, 0, 0, 0, 2, jsonbByte, t)
	}
	return append(dst, hessianZero+t)
}

// AppendHeartbeat implements codec.Heartbeater: an event whose body is null.
func (p *Protocol) AppendHeartbeat(dst []byte, id uint64) []byte {
	start := len(dst)
	dst = appendHeader(dst, flagRequest|flagTwoWay|flagEvent|hessian2, 0, id)
	return finish(append(dst, hessianNull), start)
}

// AppendHeartbeatReply implements codec.Heartbeater. The answer to a heartbeat
// has the body of the heartbeat: a null in the peer's own serialization,
// which peers compare byte by byte, and which this codec need not know.
func (p *Protocol) AppendHeartbeatReply(dst, b []byte, m *codec.Message) []byte {
	start := len(dst)
	if m.Size > int64(m.Head) || m.Head < headerLen || len(b) < m.Head {
		dst = appendHeader(dst, flagEvent|hessian2, statusOK, m.ID)
		return finish(append(dst, hessianNull), start)
	}
	dst = appendHeader(dst, flagEvent|m.Variant, statusOK, m.ID)
	return finish(append(dst, b[headerLen:m.Head]...), start)
}

// AppendGoAway implements codec.GoAwayer: the READONLY event, which consumers
// answer by sending no more requests on the connection.
func (p *Protocol) AppendGoAway(dst []byte) []byte {
	start := len(dst)
	dst = appendHeader(dst, flagRequest|flagEvent|hessian2, 0, 0)
	return finish(append(dst, 1, 'R'), start)
}
