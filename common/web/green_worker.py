"""gunicorn's gevent worker with an end to every wait for a client, for services that spend their time waiting for others.

A waiting request costs a greenlet instead of a thread, and one thread at a time runs, so that the requests of a process do not fight for
the interpreter's lock: on two cores this carries several times what 32 threads do. Not for services that compute (bcrypt would hold up all).
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.ggevent import GeventWorker

from common.web.worker import READ_SECONDS, has_arrived, linger

# For the client to take an answer.
SEND_SECONDS = 30.0


class GreenWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    def patch(self) -> None:
        super().patch()
        # Imported here: it starts machinery that must not exist before the fork, and is of use only after the patching.
        import grpc.experimental.gevent  # type: ignore[import-not-found]  # noqa: PLC0415 - see above; not in the stubs

        grpc.experimental.gevent.init_gevent()

    def init_process(self) -> None:
        self._open: set[Any] = set()
        self._working: set[Any] = set()
        # until when a connection must have sent what it has begun, and the request as soon as its head is there
        self._due: dict[Any, tuple[float, Any]] = {}
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        """One connection, in a greenlet of its own. Its first request is due at once; between two it may rest as long as keep-alive lasts."""
        self._open.add(client)
        self._due[client] = (time.monotonic() + READ_SECONDS, None)
        try:
            super().handle(listener, client, addr)
        finally:
            self._open.discard(client)
            self._due.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        """One request whose head is there; its body is read in here, and its answer written."""
        self._working.add(sock)
        self._due[sock] = (time.monotonic() + READ_SECONDS, req)
        sock.settimeout(SEND_SECONDS)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError as error:
            raise StopIteration from error  # gunicorn's way to end a connection without a word
        except StopIteration:
            linger(sock)
            raise
        finally:
            sock.settimeout(None)
            self._working.discard(sock)
            self._due.pop(sock, None)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 - gunicorn ships no types
        super().handle_error(req, client, addr, exc)
        linger(client)

    def notify(self) -> None:
        """Called about every second, also while the worker stops."""
        super().notify()
        now = time.monotonic()
        for connection, (end, request) in list(self._due.items()):
            if now > end and not has_arrived(request):
                _end_reading(connection)
        if not self.alive:
            # streams that end when their client likes end now
            self.wsgi.extensions["lifecycle"].stopping.set()
            # kept connections without a request would make every stop last as long as it may
            for connection in self._open - self._working:
                _end_reading(connection)


def _end_reading(connection: Any) -> None:  # noqa: ANN401 - gevent's socket
    """Ends the wait for bytes; what has arrived is still read, and an answer can still be written.

    On a copy: gevent's own `shutdown` breaks off whoever waits on the same object with an error, even if a request is there by then.
    """
    with suppress(OSError), connection.dup() as copy:
        copy.shutdown(socket.SHUT_RD)
