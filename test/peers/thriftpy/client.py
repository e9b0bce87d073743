"""The client role: its flags, and the threads that send, one per connection."""

import argparse
import random
import signal
import threading
import time

import wire
from caller import Caller
from methods import METHODS
from report import Report

MAX_BEHIND = 1.0  # seconds; a connection further behind its schedule gives the missed requests up
RECONNECT_PAUSE = 0.02  # seconds; keeps a client whose server is gone from spinning


def header(text):
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError("want KEY=VALUE: %r" % text)
    return key.encode(), value.encode()


def positive(text):
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError("must be at least 1: %r" % text)
    return n


def natural(text):
    n = float(text)
    if n < 0:
        raise argparse.ArgumentTypeError("must not be negative: %r" % text)
    return int(n) if n == int(n) else n


def methods(text):
    names = text.split(",")
    for name in names:
        if name not in METHODS:
            raise argparse.ArgumentTypeError("not one of %s: %r" % (", ".join(METHODS), name))
    return names


def parse(args):
    parser = argparse.ArgumentParser(prog="main.py client", allow_abbrev=False)
    wire.add_flags(parser)
    parser.add_argument("-target", type=wire.address, required=True)
    parser.add_argument("-method", type=methods, default="sayHello", help="called in turn: " + ",".join(METHODS))
    parser.add_argument("-name", default="world", help="what the request says; a unique token is added")
    parser.add_argument("-payload", type=natural, default=0, help="bytes that echo and blob send at least")
    parser.add_argument("-millis", type=int, default=10, help="what slow asks for")
    parser.add_argument("-n", type=natural, default=1, help="requests in all, 0: until a signal")
    parser.add_argument("-connections", type=positive, default=1)
    parser.add_argument("-rate", type=natural, default=0, help="requests per second of all connections")
    parser.add_argument("-timeout", type=wire.duration, default="5s", help="of connecting and of a reply")
    parser.add_argument("-header", type=header, action="append", default=[])
    parser.add_argument("-stats", type=wire.duration, default="0s", help="print numbers at this interval")
    parser.add_argument("-print", action="store_true", help="print every reply")
    options = parser.parse_args(args)
    if options.header and options.transport != "header":
        parser.error("-header needs -transport header")
    return options


class Load:
    """Sends the requests of one client over all its connections."""

    def __init__(self, options):
        self.options = options
        self.report = Report()
        self.stop = threading.Event()
        self._session = "%08x" % random.getrandbits(32)  # makes the tokens of two clients differ
        self._lock = threading.Lock()
        self._left = options.n

    def _take(self):
        if self.stop.is_set():
            return False
        if self.options.n == 0:
            return True
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def work(self, number):
        """Sends over one connection, one request after the other."""
        o = self.options
        caller = Caller(o)
        every = o.connections / o.rate if o.rate else 0.0
        due = time.monotonic() + (number / o.rate if o.rate else 0.0)
        i = 0
        while self._take():
            now = time.monotonic()
            if not every or now - due > MAX_BEHIND:
                due = now
            if due > now and self.stop.wait(due - now):
                break
            self.report.begin()
            answer = caller.call("%s#%s.%d.%d" % (o.name, self._session, number, i))
            self.report.end(answer, time.monotonic() - due)
            if o.print:
                print(answer.text, flush=True)
            if answer.not_connected:
                self.stop.wait(RECONNECT_PAUSE)
            due += every
            i += 1
        caller.close()

    def print_intervals(self, done):
        while not done.wait(self.options.stats):
            print(self.report.interval(), flush=True)


def run(args):
    options = parse(args)
    load = Load(options)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: load.stop.set())
    done = threading.Event()
    workers = [threading.Thread(target=load.work, args=(i,)) for i in range(options.connections)]
    printer = threading.Thread(target=load.print_intervals, args=(done,))
    for worker in workers:
        worker.start()
    if options.stats:
        printer.start()
    for worker in workers:
        worker.join()
    done.set()
    if options.stats:
        printer.join()
    print(load.report.final(), flush=True)
    return 1 if load.report.failed() else 0
