"""Many entries out of the log store over HTTP, as lines of JSON."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from flask import Blueprint, Response, request

from common.clock import Clock
from common.errors import TooManyError
from common.web.access import Access, access
from common.web.streams import Account, Client, current_client
from logger.ports import LogReader
from logger.query.questions import read_count
from logger.routes.query_string import query_values
from logger.transfer.exports import Export, gzipped

# Under way in one process; each is as much work as the process can do.
EXPORTS = 2
RETRY_SECONDS = 10
MIMETYPE = "application/x-ndjson"


def transfer_blueprint(reader: LogReader, clock: Clock) -> Blueprint:
    blueprint = Blueprint("transfer", __name__)
    room = threading.BoundedSemaphore(EXPORTS)

    @blueprint.get("/api/v1/logs/export")
    @access(Access.INTERNAL)
    def export() -> Response:
        wanted = read_count(query_values(), clock.now())
        if request.method == "HEAD":
            return Response(mimetype=MIMETYPE)
        if not room.acquire(blocking=False):
            raise TooManyError("too many exports at the moment", retry_after=RETRY_SECONDS)
        try:
            begun = Export(reader, wanted)
            begun.begin()
            packed = request.accept_encodings.quality("gzip") > 0
            stream = _Stream(begun, current_client(), room, packed=packed)
        except BaseException:
            room.release()
            raise
        reply = Response(stream, mimetype=MIMETYPE, headers={"Vary": "Accept-Encoding", "X-Accel-Buffering": "no"})
        reply.headers["Content-Disposition"] = 'attachment; filename="logs.ndjson"'
        if packed:
            reply.headers["Content-Encoding"] = "gzip"
        return reply

    return blueprint


class _Stream:
    """The answer's body. Ends with its last line also when the process is to stop; a client that hangs up ends it at the next write."""

    def __init__(self, begun: Export, client: Client, room: threading.Semaphore, *, packed: bool) -> None:
        self._export = begun
        self._client = client
        self._room = room
        self._packed = packed
        self._account = Account()

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._export.pieces(lambda: self._client.is_gone or self._client.must_leave)
        try:
            for piece in gzipped(pieces) if self._packed else pieces:
                self._account.bytes += len(piece)
                yield piece
            left = "stopping" if self._client.must_leave else "service"
            self._account.end = "source" if self._export.complete else left
        finally:
            self.close()

    def close(self) -> None:
        if self._account.close():
            self._room.release()
