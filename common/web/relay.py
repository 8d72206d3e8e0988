"""An answer of another service, passed on as it comes: streams of events, exports. Bytes are not looked into."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from urllib.parse import quote

from flask import Response, request

from common.errors import AppError
from common.web.sse import MIMETYPE, retry
from common.web.stream_client import Incoming, StreamClient
from common.web.streams import Account, Client, lookout

log = logging.getLogger("request")

# What may stand in a query string (RFC 3986, section 3.4), and the sign of what is written otherwise.
_IN_QUERIES = "!$&'()*+,;=:@/?-._~%"
_ASKED = ("Accept", "Accept-Encoding", "Last-Event-ID")
_ANSWERED = (
    "Content-Type",
    "Content-Encoding",
    "Content-Disposition",
    "Cache-Control",
    "Link",
    "Retry-After",
    "Vary",
    "X-Accel-Buffering",
)


def relay(service: StreamClient, client: Client) -> Response:
    """The service's answer to the current GET request: same path and query, same status.

    An answer that is no success is read first, and passed on whole. Raises what `StreamClient.get` raises.
    """
    asked = {name: request.headers[name] for name in _ASKED if name in request.headers}
    query = quote(request.query_string, safe=_IN_QUERIES)
    incoming = service.get(quote(request.path) + (f"?{query}" if query else ""), asked)
    headers = {name: incoming.headers[name] for name in _ANSWERED if name in incoming.headers}
    if not 200 <= incoming.status < 300:
        try:
            return Response(incoming.whole(), status=incoming.status, headers=headers)
        finally:
            incoming.close()
    return Response(_Relayed(incoming, client), status=incoming.status, headers=headers)


class _Relayed:
    def __init__(self, incoming: Incoming, client: Client) -> None:
        self._incoming = incoming
        self._client = client
        # events may break off at any time, since their clients come back; what has an end is let finish, as far as the grace reaches
        self._endless = (incoming.headers.get("Content-Type") or "").startswith(MIMETYPE)
        self._account = Account()
        self._cut = False

    def __iter__(self) -> Iterator[bytes]:
        whole = True
        with lookout.watching(self._is_over, self._cut_off):
            for piece in self._pieces():
                whole = piece.endswith(b"\n\n")
                self._account.bytes += len(piece)
                yield piece
        if self._cut and self._client.must_leave and whole:
            yield retry()

    def _pieces(self) -> Iterator[bytes]:
        try:
            while piece := self._incoming.read():
                yield piece
        except AppError as error:
            if self._cut:
                return
            self._account.end = "service"
            log.warning("stream_broken", extra={"reason": error.message, "route": self._account.route})
            # the answer's beginning is sent: only a broken connection still tells the client that the rest is lacking
            raise ConnectionResetError(errno.ECONNRESET, "the answer broke off") from error
        if not self._cut:
            self._account.end = "source"

    def _is_over(self) -> bool:
        return self._client.is_gone or (self._endless and self._client.must_leave)

    def _cut_off(self) -> None:
        self._cut = True
        self._account.end = "stopping" if self._client.must_leave else "client"
        self._incoming.abort()

    def close(self) -> None:
        if self._account.close():
            self._incoming.close()
