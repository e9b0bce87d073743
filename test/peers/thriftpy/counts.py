"""What a server has served, for its last line and its count file."""

import json
import os
import threading

INTERVAL = 0.2  # seconds between two rewrites of the count file, at least


class Counts:
    """Safe for all threads. A request counts from the start of its handler."""

    def __init__(self, name):
        self._lock = threading.Lock()
        self._in_flight = 0
        self._tally = {"name": name, "served": 0, "by_method": {}, "connections": 0, "max_in_flight": 0}

    def begin(self, method):
        with self._lock:
            tally = self._tally
            tally["served"] += 1
            tally["by_method"][method] = tally["by_method"].get(method, 0) + 1
            self._in_flight += 1
            tally["max_in_flight"] = max(tally["max_in_flight"], self._in_flight)

    def end(self):
        with self._lock:
            self._in_flight -= 1

    def accepted(self):
        with self._lock:
            self._tally["connections"] += 1

    def line(self):
        with self._lock:
            return json.dumps(self._tally, sort_keys=False, separators=(",", ":"))

    def keep_file(self, path, stop):
        """Rewrites path while there is something new, until the event stop, and once more then."""
        last, done = None, False
        while True:
            line = self.line()
            if line != last:
                replace_file(path, line + "\n")
                last = line
            if done:
                return
            done = stop.wait(INTERVAL)


def replace_file(path, content):
    """Writes by renaming, so that a reader never meets half a file."""
    part = "%s.%d" % (path, os.getpid())
    with open(part, "w") as f:
        f.write(content)
    os.replace(part, path)
