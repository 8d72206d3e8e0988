"""gunicorn's threaded worker with an end to every wait for a client.

A thread reads a request to its end, and the one thread that accepts connections waits up to two seconds for each closed one to hang up:
without limits a few silent clients stop a whole service.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.workers.gthread import ThreadWorker

# For a whole request to arrive; the time of the work itself is not counted against the client.
READ_SECONDS = 10.0
LINGER_SECONDS = 0.5


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    def init_process(self) -> None:
        # until when a request must have arrived, and the request as soon as its head is there
        self._reading: dict[Any, tuple[float, Any]] = {}
        super().init_process()

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 - gunicorn ships no types
        """In a thread of the pool."""
        self._reading[conn] = (time.monotonic() + READ_SECONDS, None)
        try:
            again = super().handle(conn)
        finally:
            self._reading.pop(conn, None)
        if again is False:
            linger(conn.sock)
        return again

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401 - gunicorn ships no types
        self._reading[conn] = (self._reading[conn][0], req)
        return super().handle_request(req, conn)

    def notify(self) -> None:
        """Called by the accepting thread about every second."""
        super().notify()
        now = time.monotonic()
        for conn, (end, request) in list(self._reading.items()):
            if now > end and not has_arrived(request):
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)  # ends the wait; an answer can still be written


def has_arrived(request: Any) -> bool:  # noqa: ANN401 - gunicorn ships no types
    """Whether head and body are there: however long the work on it lasts, the client owes nothing, and its connection serves the next one."""
    reader = getattr(getattr(request, "body", None), "reader", None)
    if isinstance(reader, LengthReader):
        return not reader.length
    return isinstance(reader, ChunkedReader) and reader.parser is None


def linger(connection: socket.socket) -> None:
    """Lets the client read the last answer before the connection goes, here instead of in the accepting thread."""
    end = time.monotonic() + LINGER_SECONDS
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                break
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
