"""One function per method: sends a request with a token in it and compares the reply.

Each returns (text, version), raises Wrong for a reply that does not answer the request, and lets the
library's errors through.
"""

import random

from thrift.Thrift import TApplicationException

from gen.sample.ttypes import Colour, Oops, Point, Record


class Wrong(Exception):
    pass


def greeting(got, whom):
    start = "Hello %s from " % whom
    if not got.startswith(start) or got == start:
        raise Wrong("want %r, got %r" % (start, got))
    return got, got[len(start):]


def same(got, want):
    if got != want:
        raise Wrong("want %.80r, got %.80r" % (want, got))
    return str(got), ""


def say_hello(c, token):
    return greeting(c.hello.sayHello(token), token)


def echo(c, token):
    return same(c.hello.echo(want := token.ljust(c.options.payload, ".")), want)


def blob(c, token):
    # No valid UTF-8.
    want = b"\xff\x00\x80" + token.ljust(c.options.payload - 3, ".").encode()
    got = c.hello.blob(want)
    same(got, want)
    return "%d bytes" % len(got), ""


def store(c, token):
    return same(c.hello.store(want := record(token)), want)


def record(identity):
    """A value of every type, the empty containers, and the ends of the number ranges."""
    point = Point(x=1.5, y=float("-inf"), label="Zürich 中文")
    return Record(
        id=identity, yes=True, no=False, tiny=-128, small=-(1 << 15), middle=(1 << 31) - 1, large=-(1 << 63),
        ratio=0.1, raw=b"\x00\x01\xfe\xff", colour=Colour.BLUE, origin=point,
        path=[point, Point(x=-0.5, y=0.0), Point(x=0.0, y=0.0)],
        flags=[True, False, True],
        tags={"grün", "b"},
        counts={"one": 1, "minus": -1},
        index={7: ["a", ""], -7: []},
        nested={"outer": {"inner": point}},
        none=[], empty={},
        maybe=False,
        # More than 14 elements: compact protocol's long list header.
        numbers=[0, 1, -1, 63, 64, -64, -65, 127, 128, 1 << 31, -(1 << 31), 1 << 62, (1 << 63) - 1, -(1 << 63), 5, 6],
    )


def slow(c, _):
    return greeting(c.hello.slow(c.options.millis), str(c.options.millis))


def fail(c, token):
    """The declared exception is the right answer."""
    try:
        got = c.hello.fail(token)
    except Oops as oops:
        return same(oops.why, token)
    raise Wrong("want Oops, got %r" % got)


def crash(c, token):
    """INTERNAL_ERROR is: with the token (Go), or with no text of the handler (Python)."""
    texts = ("Internal error", "Internal error processing crash: " + token)
    return expected(c.hello.crash, token, TApplicationException.INTERNAL_ERROR, lambda text: text in texts)


def missing(c, token):
    """UNKNOWN_METHOD is."""
    return expected(c.hello.missing, token, TApplicationException.UNKNOWN_METHOD, lambda text: "missing" in text)


def expected(call, token, kind, right):
    try:
        got = call(token)
    except TApplicationException as e:
        if e.type == kind and right(e.message or ""):
            return e.message, ""
        raise
    raise Wrong("want application exception %d, got %r" % (kind, got))


def clear(c, _):
    c.hello.clear()
    return "done", ""


def notify(c, token):
    c.hello.notify(token)
    return "sent", ""


def notified(c, _):
    return str(c.hello.notified()), ""


def add(c, _):
    a, b = random.randrange(1 << 30), random.randrange(1 << 30)
    return same(c.calculator.add(a, b), a + b)


def whoami(c, _):
    return greeting(c.calculator.whoami(), "Calculator")


METHODS = {
    "sayHello": say_hello, "echo": echo, "blob": blob, "store": store, "slow": slow, "fail": fail,
    "crash": crash, "missing": missing, "clear": clear, "notify": notify, "notified": notified,
    "add": add, "whoami": whoami,
}
