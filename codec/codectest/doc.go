// Package codectest is the conformance kit of codecs: a protocol that passes
// it can be driven by the engine. It is for protocols in this repository and
// outside of it.
//
// A protocol provides captures of real peers, one file per conversation, named
// *.frames:
//
//	# origin: FooRPC 2.1 for Go, client and server
//	C 00000005...   a whole message from client to server, in hexadecimal
//	S 00000007...   a whole message from server to client
//
// in the order in which they were sent (tools/record writes such files). A
// line may hold several messages that were sent at once: the decoder under test
// tells where each ends. The protocol calls
//
//	func TestConformance(t *testing.T) {
//		codectest.Run(t, codectest.Kit{Protocol: foo.New(), Captures: os.DirFS("testdata/captures")})
//	}
//
//	func FuzzDecoder(f *testing.F) {
//		codectest.Fuzz(f, codectest.Kit{Protocol: foo.New(), Captures: os.DirFS("testdata/captures")})
//	}
//
// Every captured message is decoded whole and in pieces, with bytes that were
// looked at already destroyed, under limits, with lengths overwritten; it is
// renumbered, edited and answered by each part of the contract that the
// protocol implements. What takes long is done with the first message of each
// sort: a sort is what a message is (kind, status, variant, …) and which
// properties it has. With -v the subtest "coverage" says what the captures do
// not show. What the kit cannot know, such as which method a capture calls,
// remains for the protocol's own tests.
package codectest
