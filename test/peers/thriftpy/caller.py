"""One connection with the library's clients on it."""

import dataclasses
import itertools

from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TApplicationException
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TTransportException

import wire
from gen.sample import Calculator, HelloService
from methods import METHODS, Wrong

ONEWAY = {"notify"}


@dataclasses.dataclass
class Answer:
    """What became of one request; no error and not wrong: the right reply came."""

    error: str = ""
    wrong: bool = False
    not_connected: bool = False
    version: str = ""
    text: str = ""


class Caller:
    """Connects when it needs to and never sends a request twice. For one thread."""

    def __init__(self, options):
        self.options = options
        self._turns = itertools.cycle(options.method)
        self._socket = None
        self._protocol = None
        self.hello = None
        self.calculator = None

    def close(self):
        if self._socket:
            self._socket.close()
            self._socket = None

    def _connect(self):
        o = self.options
        sock = TSocket(*o.target)
        sock.setTimeout(o.timeout * 1000)
        transport = wire.transport_factory(o).getTransport(sock)
        transport.open()
        self._protocol = wire.protocol_factory(o).getProtocol(transport)
        self.hello = HelloService.Client(self._protocol, self._out("HelloService"))
        self.calculator = Calculator.Client(self._protocol, self._out("Calculator"))
        self._socket = sock

    def _out(self, service):
        return TMultiplexedProtocol(self._protocol, service) if self.options.multiplexed else self._protocol

    def call(self, token):
        """Sends one request that carries token and judges its reply."""
        if not self._socket:
            try:
                self._connect()
            except TTransportException as e:
                return Answer(error=error_text(e), not_connected=True, text=str(e))
        headers = self._set_headers()
        method = next(self._turns)
        try:
            text, version = METHODS[method](self, token)
        except TApplicationException as e:
            return Answer(error=error_text(e), text="error: %s" % e)
        except Wrong as e:
            self.close()
            return Answer(wrong=True, text="wrong: %s" % e)
        except Exception as e:  # The library raises whatever its parser stumbles over.
            self.close()
            return Answer(error=error_text(e), text="error: %r" % e)
        if headers and method not in ONEWAY:
            got = self._protocol.get_headers()
            version = got.get(b"x-served-by", b"").decode() or version
            text = "%s %s" % (text, got)
        return Answer(version=version, text=text)

    def _set_headers(self):
        """Reports whether the connection has headers; the library forgets them after a request."""
        if not isinstance(self._protocol, THeaderProtocol):
            return False
        for key, value in self.options.header:
            self._protocol.set_header(key, value)
        return True


def error_text(e):
    """Names an error so that equal ones count as one: without addresses and tokens."""
    if isinstance(e, TApplicationException):
        return "application exception %d: %s" % (e.type, (e.message or "").partition("#")[0])
    inner = getattr(e, "inner", None)
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if isinstance(inner, ConnectionResetError):
        return "connection reset"
    if isinstance(inner, BrokenPipeError):
        return "broken pipe"
    if isinstance(inner, TimeoutError):
        return "timeout"
    if isinstance(e, EOFError) or getattr(e, "type", None) == TTransportException.END_OF_FILE:
        return "EOF"
    if isinstance(e, TProtocolException):
        return "protocol: %s" % e
    return "%s: %s" % (type(e).__name__, e)
