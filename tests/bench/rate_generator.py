"""A load generator with a constant rate: requests are due at fixed times, whatever the server does.

    python -m tests.bench.rate_generator FILE HOST:PORT RATE MINUTES

FILE holds one whole HTTP request with the mark of wrk.py in it. A latency is counted from the time at which its request was due, so a server
that stalls is charged for all the requests that had to wait (no coordinated omission). Prints one JSON object a minute. One thread, raw
sockets, prepared bytes: a few hundredths of a core at 1,000 requests a second.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.figures import of_latencies
from tests.bench.wrk import MARK

CONNECTIONS = 128
_MINUTE = 60.0
# A request that has no answer by then failed, and its connection is made anew. Seconds.
_TIMEOUT = 30.0
_LAST_ANSWERS = 35.0
_TRY_AGAIN = 0.1
_LATE = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Connection:
    """`due` is when its request should have been sent, None while it is free."""

    peer: socket.socket
    due: float | None = None
    sent: float = 0.0
    received: bytes = b""


@dataclass(slots=True)
class Minute:
    """What became of the requests that were due in one minute; counted when they end."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    latest_send: float = 0.0


def is_whole(answer: bytes) -> bool:
    """Whether an HTTP/1.1 answer with a Content-Length has arrived."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


class Generator:
    def __init__(self, request: bytes, address: str, rate: float, minutes: float) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._pieces = request.split(MARK.encode())
        self._rate, self._total = rate, round(rate * minutes * _MINUTE)
        self._selector = selectors.DefaultSelector()
        self._free: list[Connection] = []
        self._busy: deque[tuple[float, Connection]] = deque()
        self._minutes: list[Minute] = [Minute() for _ in range(-(-self._total // round(rate * _MINUTE)))]
        self._sent = self._ended = self._told = self._missing = 0
        self._begin = self._next_try = 0.0

    def run(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.append(self._connect())
        self._begin = time.perf_counter() + 0.1
        end = self._begin + self._total / self._rate + _LAST_ANSWERS
        while self._ended < self._total and (now := time.perf_counter()) < end:
            self._send_due(now)
            for key, _ in self._selector.select(self._pause()):
                self._read(key.data)
            self._expire()
            self._replace_lost()
            self._tell(final=False)
        self._minutes[-1].errors += self._total - self._ended
        self._tell(final=True)
        for key in list(self._selector.get_map().values()):
            key.data.peer.close()
        self._selector.close()

    def _connect(self) -> Connection:
        peer = socket.create_connection(self._address, timeout=10)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(peer)
        self._selector.register(peer, selectors.EVENT_READ, connection)
        return connection

    def _due(self, number: int) -> float:
        return self._begin + number / self._rate

    def _pause(self) -> float:
        """Until the next request is due; a moment when one is due already and no connection is free."""
        if self._sent >= self._total or not self._free:
            return 0.05
        return max(0.0, self._due(self._sent) - time.perf_counter())

    def _send_due(self, now: float) -> None:
        while self._sent < self._total and self._free and (due := self._due(self._sent)) <= now:
            connection, number = self._free.pop(), self._sent
            self._sent += 1
            connection.due, connection.sent, connection.received = due, now, b""
            self._busy.append((now, connection))
            minute = self._minute(due)
            minute.latest_send = max(minute.latest_send, now - due)
            try:
                connection.peer.sendall((b"%010d" % number).join(self._pieces))
            except OSError:
                self._fail(connection)

    def _minute(self, due: float) -> Minute:
        """An answer that comes after its minute was told counts in the next one."""
        return self._minutes[min(max(int((due - self._begin) / _MINUTE), self._told), len(self._minutes) - 1)]

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.peer.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._fail(connection)
            return
        connection.received += data
        if connection.due is not None and is_whole(connection.received):
            minute = self._minute(connection.due)
            if connection.received.startswith(b"HTTP/1.1 2"):
                minute.latencies.append(time.perf_counter() - connection.due)
            else:
                minute.errors += 1
            self._ended += 1
            connection.due = None
            self._free.append(connection)

    def _fail(self, connection: Connection) -> None:
        """The connection is gone; one that was free when the server closed it costs nothing but a new one."""
        self._selector.unregister(connection.peer)
        connection.peer.close()
        if connection.due is not None:
            self._minute(connection.due).errors += 1
            self._ended += 1
            connection.due = None
        else:
            self._free.remove(connection)
        self._missing += 1

    def _expire(self) -> None:
        now = time.perf_counter()
        while self._busy:
            sent, connection = self._busy[0]
            waits = connection.due is not None and connection.sent == sent
            if waits and now - sent <= _TIMEOUT:
                return
            self._busy.popleft()
            if waits:
                self._fail(connection)

    def _replace_lost(self) -> None:
        """Not more often than every so often: a server that is away refuses at once."""
        now = time.perf_counter()
        while self._missing and now >= self._next_try:
            try:
                self._free.append(self._connect())
            except OSError:
                self._next_try = now + _TRY_AGAIN
                return
            self._missing -= 1

    def _tell(self, *, final: bool) -> None:
        """A minute is told ten seconds after it is over, when its answers are there or late indeed; the last one at the very end."""
        while self._told < len(self._minutes):
            over = self._begin + (self._told + 1) * _MINUTE
            is_last = self._told == len(self._minutes) - 1
            if not final and (is_last or time.perf_counter() < over + _LATE):
                return
            minute = self._minutes[self._told]
            sys.stdout.write(json.dumps(_told(minute)) + "\n")
            sys.stdout.flush()
            minute.latencies.clear()
            self._told += 1


def _told(minute: Minute) -> dict[str, Any]:
    latencies = minute.latencies
    told = of_latencies(latencies, acknowledged=len(latencies), seconds=_MINUTE, errors=minute.errors)
    return told | {"max_ms": max(latencies, default=0) * 1000, "latest_send_ms": minute.latest_send * 1000}


def main(arguments: list[str]) -> None:
    file, address, rate, minutes = arguments
    Generator(Path(file).read_bytes(), address, float(rate), float(minutes)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
