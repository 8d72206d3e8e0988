"""What answers that go on need: noticing that nobody reads them any more or that the process is to stop, and a line at their end.

A connection whose peer has gone fails at the second write only, and an answer that waits for news writes every fifteen seconds. So the
system is asked, without reading or writing.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from flask import current_app, request

from common import context
from common.web.edge import ROUTE

log = logging.getLogger("request")

# Between two looks.
LOOK_SECONDS = 1.0
# The first byte of Linux' tcp_info.
_ESTABLISHED = 1


class Client:
    """Who the current request's answer is for."""

    def __init__(self, connection: socket.socket | None, stopping: threading.Event) -> None:
        """`connection` is None where the server does not show it: then only writing tells that the client is gone."""
        self._connection = connection
        self._stopping = stopping

    @property
    def is_gone(self) -> bool:
        """Has hung up, or closed its own direction, which no reader of a stream does. False where the system cannot tell."""
        kind = getattr(socket, "TCP_INFO", None)
        if self._connection is None or kind is None:
            return False
        try:
            return self._connection.getsockopt(socket.IPPROTO_TCP, kind, 1)[0] != _ESTABLISHED
        except OSError:
            return True

    @property
    def must_leave(self) -> bool:
        """The process was told to stop."""
        return self._stopping.is_set()


def current_client() -> Client:
    connection: Any = request.environ.get("gunicorn.socket")
    stopping: threading.Event = current_app.extensions["lifecycle"].stopping
    return Client(connection, stopping)


class Account:
    """What the log says of an answer at its end; its beginning has a line as every request has. Build it in the request."""

    def __init__(self) -> None:
        self._bound = context.current()
        self.route = request.environ.get(ROUTE, "unmatched")
        self._began = time.monotonic()
        self.bytes = 0
        # a client that goes while something is written to it is noticed by the server alone
        self.end = "client"
        self._closed = False

    def close(self) -> bool:
        """Writes the line. False when that was done before."""
        if self._closed:
            return False
        self._closed = True
        seconds = round(time.monotonic() - self._began, 2)
        told = {"route": self.route, "end": self.end, "bytes": self.bytes, "duration_s": seconds}
        with context.bound(self._bound) if self._bound else nullcontext():
            log.info("stream_ended", extra=told)
        return True


class Lookout:
    """One thread, as long as there is anything to look after, that calls for the end of answers which wait for somebody else."""

    def __init__(self) -> None:
        self._watched: dict[object, tuple[Callable[[], bool], Callable[[], object]]] = {}
        self._lock = threading.Lock()
        self._looking = False
        self._pause = threading.Event()

    @contextmanager
    def watching(self, over: Callable[[], bool], end: Callable[[], object]) -> Iterator[None]:
        """While the block runs: `end` is called once, in another thread, soon after `over` has become true."""
        key = object()
        with self._lock:
            self._watched[key] = (over, end)
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="lookout", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(key, None)

    def _look(self) -> None:
        while True:
            self._pause.wait(LOOK_SECONDS)
            for key, (over, end) in list(self._watched.items()):
                self._look_at(key, over, end)
            with self._lock:
                if not self._watched:
                    self._looking = False
                    return

    def _look_at(self, key: object, over: Callable[[], bool], end: Callable[[], object]) -> None:
        """One that fails costs the others nothing. What cannot tell whether it is over is asked again, what cannot be ended is let go."""
        try:
            if over():
                self._watched.pop(key, None)
                end()
        except Exception:
            log.exception("lookout_failed")


lookout = Lookout()
