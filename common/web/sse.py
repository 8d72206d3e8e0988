"""Server-Sent Events (HTML Living Standard, section 9.2): their text, and an answer that goes on until somebody leaves.

    @blueprint.get("/events")
    def events() -> Response:
        return event_stream(Source(), current_client())

A source gives pieces of the stream (`event`, `comment`), and an empty one at least every second when there is nothing new, so that the stream
can look after its client meanwhile.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Protocol

from flask import Response

from common.web.streams import LOOK_SECONDS, Account, Client

MIMETYPE = "text/event-stream"
# Proxies and clients give up connections on which nothing comes; most after a minute.
KEEP_ALIVE_SECONDS = 15.0
# When the client is to come back after the end of a stream.
RETRY_MILLISECONDS = 2_000
HEADERS = {
    "Cache-Control": "no-store",
    # nginx would collect the stream until its buffer is full
    "X-Accel-Buffering": "no",
}

_LINE_END = re.compile(r"\r\n|\r|\n")
_NOT_IN_A_FIELD = re.compile(r"[\r\n\0]")


def event(data: str | bytes | None = None, *, name: str = "", id: str = "") -> bytes:  # noqa: A002 - the standard's word
    """One event. Without data the client only remembers the id, for the next Last-Event-ID.

    `data` as bytes is one line of UTF-8, such as JSON. Raises ValueError when a name or an id holds what would end its line.
    """
    if _NOT_IN_A_FIELD.search(id) or _NOT_IN_A_FIELD.search(name):
        raise ValueError("the name and the id of an event are one line")
    head = (f"id: {id}\n" if id else "") + (f"event: {name}\n" if name else "")
    if data is None:
        return f"{head}\n".encode()
    if isinstance(data, bytes):
        return b"%bdata: %b\n\n" % (head.encode(), data)
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"{head}{lines}\n".encode()


def comment(text: str = "") -> bytes:
    """What a client reads over."""
    return "".join(f": {line}\n" for line in _LINE_END.split(text)).encode() + b"\n"


def retry(milliseconds: int = RETRY_MILLISECONDS) -> bytes:
    """When the client is to come back when the stream has ended."""
    return b"retry: %d\n\n" % milliseconds


class Source(Protocol):
    def __iter__(self) -> Iterator[bytes]:
        """Pieces of the stream; an empty one at least every second when there is nothing new."""

    def close(self) -> None:
        """Lets go of what the source holds. Called once, also when the iteration has not begun."""


def event_stream(source: Source, client: Client) -> Response:
    """The answer; it ends with the source, when the client hangs up, or, with a last `retry`, when the process is to stop."""
    return Response(_Stream(source, client), mimetype=MIMETYPE, headers=HEADERS)


class _Stream:
    def __init__(self, source: Source, client: Client) -> None:
        self._source = source
        self._client = client
        self._account = Account()
        self._sent = self._looked = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces():
            self._sent = time.monotonic()
            self._account.bytes += len(piece)
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        yield retry()
        for piece in self._source:
            if piece:
                yield piece
            now = time.monotonic()
            if now - self._sent >= KEEP_ALIVE_SECONDS:
                yield comment("still here")
            if now - self._looked < LOOK_SECONDS / 2:
                continue
            self._looked = now
            if self._client.must_leave:
                self._account.end = "stopping"
                yield retry()
                return
            if self._client.is_gone:
                return
        self._account.end = "source"

    def close(self) -> None:
        if self._account.close():
            self._source.close()
