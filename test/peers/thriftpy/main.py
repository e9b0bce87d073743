"""A real Thrift server and client (apache/thrift for Python) for tests and captures.

../README.md has the contract that it shares with the other peers.
"""

import logging
import sys

import client
import server

USAGE = "usage: main.py server|client [flags]; -h lists the flags"


def main(args):
    # Logs of the library go to stderr; a client's failures are in its report already.
    logging.basicConfig(level=logging.CRITICAL)
    if args[:1] == ["server"]:
        return server.run(args[1:])
    if args[:1] == ["client"]:
        return client.run(args[1:])
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
