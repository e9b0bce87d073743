"""The server role: the library's TThreadedServer, which can be stopped."""

import argparse
import signal
import socket
import threading
import time

from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TProcessor
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TTransportException

import wire
from counts import Counts
from gen.sample import Calculator, HelloService
from handler import Handler


def parse(args):
    parser = argparse.ArgumentParser(prog="main.py server", allow_abbrev=False)
    wire.add_flags(parser)
    parser.add_argument("-listen", type=wire.address, default="127.0.0.1:0")
    parser.add_argument("-name", default="v1", help="the name in replies and counts")
    parser.add_argument("-delay", type=wire.duration, default="0ms", help="wait this long before every handler")
    parser.add_argument("-drain", type=wire.duration, default="10s", help="at a stop, wait at most this long")
    parser.add_argument("-count-file", default="", help="keep the counts in this file too")
    parser.add_argument("-service", default="HelloService", choices=["HelloService", "Calculator"])
    return parser.parse_args(args)


class Listener(TServerSocket):
    """The library's server socket; it listens already when the server calls listen."""

    def __init__(self, host, port):
        super().__init__(host, port, socket_family=socket.AF_INET)
        super().listen()
        self.stopped = False

    def listen(self):
        pass

    def address(self):
        return "%s:%d" % self.handle.getsockname()

    def accept(self):
        try:
            return super().accept()
        except OSError:
            if self.stopped:
                # The library's accept loop goes on after every Exception; this one ends its thread.
                raise SystemExit from None
            raise

    def stop(self):
        self.stopped = True
        # close alone does not wake a thread that is in accept.
        self.handle.shutdown(socket.SHUT_RDWR)
        self.handle.close()


class Server(TThreadedServer):
    """Keeps account of its connections."""

    def __init__(self, processor, listener, options, counts):
        super().__init__(
            processor, listener, wire.transport_factory(options), wire.protocol_factory(options), daemon=True
        )
        self._counts = counts
        self._changed = threading.Condition()
        self._open = set()
        self._stopped = False

    def handle(self, client):
        self._counts.accepted()
        with self._changed:
            self._open.add(client)
            if self._stopped:
                stop_reading(client)
        try:
            super().handle(client)
        finally:
            with self._changed:
                self._open.discard(client)
                self._changed.notify_all()

    def stop(self, drain):
        """Idle connections read their end; waits for the others, at most drain seconds."""
        deadline = time.monotonic() + drain
        with self._changed:
            self._stopped = True
            for client in self._open:
                stop_reading(client)
            self._changed.wait_for(lambda: not self._open, deadline - time.monotonic())


def stop_reading(client):
    try:
        client.handle.shutdown(socket.SHUT_RD)
    except (OSError, AttributeError):
        pass  # It has ended by itself.


class Connected(TProcessor):
    """Tells the handler on which connection it works, and ends a connection after a stop."""

    def __init__(self, inner, handler, stopped):
        self._inner = inner
        self._handler = handler
        self._stopped = stopped

    def process(self, iprot, oprot):
        self._handler.connection.protocol = oprot
        self._inner.process(iprot, oprot)
        if self._stopped.is_set():
            raise TTransportException(TTransportException.END_OF_FILE, "server stopped")


def services(options, handler):
    hello = HelloService.Processor(handler)
    del hello._processMap["missing"]
    calculator = Calculator.Processor(handler)
    if options.multiplexed:
        both = TMultiplexedProcessor()
        both.registerProcessor("HelloService", hello)
        both.registerProcessor("Calculator", calculator)
        return both
    return calculator if options.service == "Calculator" else hello


def run(args):
    options = parse(args)
    counts = Counts(options.name)
    handler = Handler(options.name, options.delay, counts)
    # Blocked in every thread that is started from here on, and waited for below.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    stopped, file_stop = threading.Event(), threading.Event()
    listener = Listener(*options.listen)
    server = Server(Connected(services(options, handler), handler, stopped), listener, options, counts)
    accepting = threading.Thread(target=server.serve, daemon=True)
    keeping = threading.Thread(target=counts.keep_file, args=(options.count_file, file_stop), daemon=True)
    print("LISTENING", listener.address(), flush=True)
    accepting.start()
    if options.count_file:
        keeping.start()
    signal.sigwait(stops)
    stopped.set()
    listener.stop()
    accepting.join()
    server.stop(options.drain)
    file_stop.set()
    if options.count_file:
        keeping.join()
    print(counts.line(), flush=True)
    return 0
