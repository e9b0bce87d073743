"""HelloService and Calculator of ../thrift/sample.thrift."""

import functools
import threading
import time

from thrift.protocol.THeaderProtocol import THeaderProtocol

from gen.sample.ttypes import Oops


def served(method):
    """Counts, delays, and answers THeader headers, around a handler's method."""

    @functools.wraps(method)
    def around(self, *args):
        self.counts.begin(method.__name__)
        try:
            self.answer_headers()
            time.sleep(self.delay)
            return method(self, *args)
        finally:
            self.counts.end()

    return around


class Handler:
    def __init__(self, name, delay, counts):
        self.name = name
        self.delay = delay
        self.counts = counts
        self.connection = threading.local()  # .protocol is that of the thread's connection
        self._lock = threading.Lock()
        self._notified = 0

    def answer_headers(self):
        """The reply says who served it, and returns every header under x-echo-NAME."""
        protocol = getattr(self.connection, "protocol", None)
        if not isinstance(protocol, THeaderProtocol):
            return
        # A one-way request leaves its headers to the next reply.
        protocol.clear_headers()
        protocol.set_header(b"x-served-by", self.name.encode())
        for key, value in protocol.get_headers().items():
            protocol.set_header(b"x-echo-" + key, value)

    def _greet(self, whom):
        return "Hello %s from %s" % (whom, self.name)

    @served
    def sayHello(self, name):
        return self._greet(name)

    @served
    def echo(self, payload):
        return payload

    @served
    def blob(self, data):
        return data

    @served
    def store(self, r):
        return r

    @served
    def slow(self, millis):
        time.sleep(millis / 1000)
        return self._greet(millis)

    @served
    def fail(self, why):
        raise Oops(why=why, code=len(why.encode()))

    @served
    def crash(self, why):
        raise RuntimeError(why)

    @served
    def clear(self):
        return None

    @served
    def notify(self, what):
        with self._lock:
            self._notified += 1

    @served
    def notified(self):
        with self._lock:
            return self._notified

    @served
    def add(self, a, b):
        return a + b

    @served
    def whoami(self):
        return self._greet("Calculator")
