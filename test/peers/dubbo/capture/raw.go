package main

import (
	"encoding/binary"

	hessian "github.com/apache/dubbo-go-hessian2"
)

const (
	flagRequest   = 0x80
	flagTwoWay    = 0x40
	idHessian2    = 2
	idNotAssigned = 31
)

// rawRequest returns a two-way request of sayHello with this serialization id, Dubbo version and
// encoded argument.
func rawRequest(id byte, version string, argument []byte) []byte {
	strings := func(values ...any) []byte {
		e := hessian.NewEncoder()
		for _, v := range values {
			// Strings and maps of them always encode.
			_ = e.Encode(v)
		}
		return e.Buffer()
	}
	const service = "org.aeraki.samples.HelloService"
	body := strings(version, service, "0.0.0", "sayHello", "Ljava/lang/String;")
	body = append(body, argument...)
	body = append(body, strings(map[any]any{"path": service, "interface": service, "version": "0.0.0"})...)
	header := make([]byte, headerLength)
	header[0], header[1], header[2] = 0xda, 0xbb, flagRequest|flagTwoWay|id
	binary.BigEndian.PutUint64(header[4:], 7)
	binary.BigEndian.PutUint32(header[12:], uint32(len(body)))
	return append(header, body...)
}

func argument(s string) []byte {
	e := hessian.NewEncoder()
	_ = e.Encode(s)
	return e.Buffer()
}

func unknownSerialization() []byte { return rawRequest(idNotAssigned, "2.0.2", argument("world")) }

// brokenArgument has a byte that starts no hessian2 value.
func brokenArgument() []byte { return rawRequest(idHessian2, "2.0.2", []byte{0x45, 0x47, 0x40}) }

func oldVersion() []byte { return rawRequest(idHessian2, "2.0.1", argument("world")) }
