"""The figures of a client; ../README.md says what they mean."""

import json
import threading
import time

MAX_ERROR_TEXTS = 50  # further texts count as "other"


class Window:
    """What happened in a span of time."""

    def __init__(self, start):
        self.start = start
        self.sent = self.ok = self.wrong = 0
        self.errors = {}
        self.by_version = {}
        self._latencies = {}  # rounded microseconds: how often

    def add(self, answer, took):
        if answer.wrong:
            self.wrong += 1
        elif answer.error:
            text = answer.error
            if text not in self.errors and len(self.errors) >= MAX_ERROR_TEXTS:
                text = "other"
            self.errors[text] = self.errors.get(text, 0) + 1
        else:
            self.ok += 1
            us = rounded(int(took * 1e6))
            self._latencies[us] = self._latencies.get(us, 0) + 1
            if answer.version:
                self.by_version[answer.version] = self.by_version.get(answer.version, 0) + 1

    def quantile(self, q):
        rank = int(q * self.ok)
        for us in sorted(self._latencies):
            rank -= self._latencies[us]
            if rank < 0:
                return us
        return 0

    def figures(self, now):
        took = max(now - self.start, 1e-9)
        return {
            "sent": self.sent,
            "ok": self.ok,
            "errors": self.errors,
            "wrong": self.wrong,
            "by_version": self.by_version,
            "p50_us": self.quantile(0.50),
            "p99_us": self.quantile(0.99),
            "rps": round(self.ok / took, 1),
        }


def rounded(us):
    """Keeps the top six bits: exact to 3 %, and an endless client stays small."""
    shift = max(0, us.bit_length() - 6)
    return us >> shift << shift


class Report:
    """Counts for all connections of a client; safe for all threads."""

    def __init__(self):
        self._lock = threading.Lock()
        now = time.monotonic()
        self._total, self._current = Window(now), Window(now)

    def begin(self):
        with self._lock:
            self._total.sent += 1
            self._current.sent += 1

    def end(self, answer, took):
        with self._lock:
            self._total.add(answer, took)
            self._current.add(answer, took)

    def failed(self):
        with self._lock:
            return self._total.wrong > 0 or bool(self._total.errors)

    def final(self):
        with self._lock:
            return line(self._total.figures(time.monotonic()))

    def interval(self):
        with self._lock:
            now, total = time.monotonic(), self._total
            figures = self._current.figures(now)
            figures["total_sent"] = total.sent
            figures["total_ok"] = total.ok
            figures["total_errors"] = sum(total.errors.values())
            figures["total_wrong"] = total.wrong
            self._current = Window(now)
            return line(figures)


def line(figures):
    return json.dumps(figures, separators=(",", ":"), ensure_ascii=False)
