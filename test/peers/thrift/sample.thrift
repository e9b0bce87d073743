// The services of the Thrift peers. README.md says how to regenerate the code in gen/.
namespace go sample
namespace py sample

enum Colour {
  RED = 1
  GREEN = 2
  BLUE = 300000
}

struct Point {
  1: double x
  2: double y
  3: optional string label
}

// Every Thrift type and nested containers, so that a codec that skips a message meets all of them.
// The gaps and the order of the field ids make compact protocol write short and long field headers,
// forwards and backwards.
struct Record {
  1: string id
  2: bool yes
  3: bool no
  4: byte tiny
  5: i16 small
  6: i32 middle
  7: i64 large
  8: double ratio
  9: binary raw
  10: Colour colour
  11: Point origin
  30: list<Point> path
  31: list<bool> flags
  32: set<string> tags
  33: map<string, i32> counts
  34: map<i32, list<string>> index
  35: map<string, map<string, Point>> nested
  36: list<string> none
  37: map<string, bool> empty
  20: optional string unset
  21: optional bool maybe
  1000: list<i64> numbers
}

exception Oops {
  1: string why
  2: i32 code
}

service HelloService {
  // "Hello NAME from SERVER"
  string sayHello(1: string name)
  // What was sent.
  string echo(1: string payload)
  binary blob(1: binary data)
  Record store(1: Record r)
  // "Hello MILLIS from SERVER" after that many milliseconds.
  string slow(1: i32 millis)
  // Always the declared exception, which carries why.
  string fail(1: string why) throws (1: Oops oops)
  // Always an error that is not declared, which the libraries turn into a TApplicationException.
  string crash(1: string why)
  // A reply without a value.
  void clear()
  oneway void notify(1: string what)
  // How many notify calls this server has got.
  i64 notified()
  // The client knows this method, the servers are built not to: UNKNOWN_METHOD.
  string missing(1: string what)
}

service Calculator {
  i32 add(1: i32 a, 2: i32 b)
  // "Hello Calculator from SERVER"
  string whoami()
}
