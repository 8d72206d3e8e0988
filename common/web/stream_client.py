"""Outbound HTTP for answers that go on: read piece by piece as they come, never held as a whole."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from common import context
from common.errors import BadReplyError, DeadlineError, UnavailableError
from common.web.client import CONNECT_SECONDS

PIECE = 64 * 1024
# An answer that is no stream, such as a problem.
MAX_WHOLE = 1024 * 1024


class Incoming:
    """An answer whose body is still to come. One thread reads; `abort` may be called from another."""

    def __init__(
        self,
        name: str,
        connection: http.client.HTTPConnection,
        peer: socket.socket,
        answer: http.client.HTTPResponse,
    ) -> None:
        self._name = name
        self._connection = connection
        self._socket = peer
        self._answer = answer
        self.status = answer.status
        self.headers = answer.headers

    def read(self) -> bytes:
        """What has come, waiting for the first byte of it; empty at the end.

        Raises DeadlineError when the far side is silent for too long, BadReplyError when it breaks off.
        """
        try:
            return self._answer.read1(PIECE)
        except TimeoutError as error:
            raise DeadlineError(f"{self._name} went silent in the middle of its answer") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BadReplyError(f"{self._name} broke off its answer") from error

    def whole(self) -> bytes:
        """All of it, for an answer that ends soon. Raises as `read`, and BadReplyError when it is larger than 1 MiB."""
        body = b""
        while piece := self.read():
            body += piece
            if len(body) > MAX_WHOLE:
                raise BadReplyError(f"{self._name} gave an answer that is too large")
        return body

    def abort(self) -> None:
        """Whoever reads finds the end, or an error."""
        # on a copy: gevent would wake the reader with an error of its own before it has read what is there
        with suppress(OSError), self._socket.dup() as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


class StreamClient:
    """GET requests to one service, each on a connection of its own, since nobody knows when it will be free again."""

    def __init__(self, name: str, base_url: str, *, timeout: float, silence: float) -> None:
        """`timeout` (seconds): until the head of the answer; `silence`: the longest time without a byte after that."""
        self.name = name
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout
        self._silence = silence

    def get(self, path: str, headers: Mapping[str, str]) -> Incoming:
        """The answer, whatever its status, as soon as its head is there. Close it.

        Raises UnavailableError when the service cannot be reached, DeadlineError when it does not answer in time.
        """
        bound = context.current()
        connect = min(CONNECT_SECONDS, self._timeout)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=connect)
        try:
            connection.connect()
        except OSError as error:
            raise UnavailableError(f"{self.name} cannot be reached") from error
        # http.client lets go of it when the answer announces the end of the connection
        peer: socket.socket = connection.sock
        try:
            peer.settimeout(self._timeout)
            connection.request("GET", self._prefix + path, headers={**headers, **(bound.headers() if bound else {})})
            answer = connection.getresponse()
            peer.settimeout(self._silence)
        except TimeoutError as error:
            connection.close()
            raise DeadlineError(f"{self.name} did not answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise DeadlineError(f"{self.name} hung up before it answered") from error
        return Incoming(self.name, connection, peer, answer)
