"""How messages look on the connection, and the flags both roles share."""

import argparse
import re

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAcceleratedFactory
from thrift.protocol.TCompactProtocol import TCompactProtocolAcceleratedFactory
from thrift.protocol.THeaderProtocol import THeaderProtocol, THeaderProtocolFactory
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID
from thrift.transport.TTransport import (
    TBufferedTransportFactory,
    TFramedTransport,
    TTransportFactoryBase,
)

# Far over the library's default of 16 MB, so that size limits met in a test are the proxy's.
MAX_FRAME = 256 << 20

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def duration(text):
    """Seconds of a duration written as Go writes it: 0, 200ms, 1.5s."""
    if text == "0":
        return 0.0
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(us|ms|s|m)", text)
    if not found:
        raise argparse.ArgumentTypeError("want a duration like 200ms: %r" % text)
    return float(found[1]) * UNITS[found[2]]


def address(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError("want HOST:PORT: %r" % text)
    return host, int(port)


def add_flags(parser):
    parser.add_argument("-transport", default="framed", choices=["framed", "unframed", "header"])
    parser.add_argument("-protocol", default="binary", choices=["binary", "compact"])
    parser.add_argument("-multiplexed", action="store_true", help="method names carry the service's name")


class FramedFactory(TTransportFactoryBase):
    def getTransport(self, trans):
        return TFramedTransport(trans, MAX_FRAME)


class PlainFactory(TTransportFactoryBase):
    """THeaderProtocol brings its own transport."""

    def getTransport(self, trans):
        return trans


class HeaderFactory(THeaderProtocolFactory):
    def getProtocol(self, trans):
        protocol = THeaderProtocol(trans, self.allowed_client_types, self.default_protocol)
        protocol.trans.set_max_frame_size(MAX_FRAME)
        return protocol


def transport_factory(options):
    if options.transport == "framed":
        return FramedFactory()
    if options.transport == "header":
        return PlainFactory()
    return TBufferedTransportFactory()


def protocol_factory(options):
    compact = options.protocol == "compact"
    if options.transport == "header":
        # The library's server accepts only what it is told to.
        accepted = (
            THeaderClientType.HEADERS,
            THeaderClientType.FRAMED_BINARY,
            THeaderClientType.UNFRAMED_BINARY,
            THeaderClientType.FRAMED_COMPACT,
            THeaderClientType.UNFRAMED_COMPACT,
        )
        inner = THeaderSubprotocolID.COMPACT if compact else THeaderSubprotocolID.BINARY
        return HeaderFactory(accepted, inner)
    return TCompactProtocolAcceleratedFactory() if compact else TBinaryProtocolAcceleratedFactory()
