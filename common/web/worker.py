"""gunicorn's threaded worker with an end to every wait for a client.

A thread reads a request to its end, and the one thread that accepts connections waits up to two seconds for each closed one to hang up:
without limits a few silent clients stop a whole service.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# For a whole request to arrive; the time of the work itself is not counted against the client, since reading is over by then.
READ_SECONDS = 10.0
LINGER_SECONDS = 0.5


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    def init_process(self) -> None:
        self._reading: dict[Any, float] = {}
        super().init_process()

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 - gunicorn ships no types
        """In a thread of the pool."""
        self._reading[conn] = time.monotonic() + READ_SECONDS
        try:
            again = super().handle(conn)
        finally:
            self._reading.pop(conn, None)
        if again is False:
            linger(conn.sock)
        return again

    def notify(self) -> None:
        """Called by the accepting thread about every second."""
        super().notify()
        now = time.monotonic()
        for conn, end in list(self._reading.items()):
            if now > end:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)  # ends the wait; an answer can still be written


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
