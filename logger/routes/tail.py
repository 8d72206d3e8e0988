"""The live tail over HTTP, as Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from common.clock import Clock
from common.web.access import Access, access
from common.web.sse import KEEP_ALIVE_SECONDS, MIMETYPE, comment, event, event_stream
from common.web.streams import current_client
from logger.answers import entry_as_json, moment_text
from logger.routes.query_string import query_values
from logger.tailing.changes import Change
from logger.tailing.places import Live, sealed
from logger.tailing.request import read_tail
from logger.tailing.tail import Entries, Idle, Missed, Reading, Signal, Tail

_ENTRIES = "/api/v1/logs"
# What a question about missed entries does not take over.
_OF_THE_TAIL = ("since", "until", "history")
# Small entries share what a piece costs; more would only be in memory for as long as a reader does not read.
_PIECE_BYTES = 64 * 1024


def tail_blueprint(tail: Tail, clock: Clock) -> Blueprint:
    blueprint = Blueprint("tail", __name__)

    @blueprint.get("/api/v1/logs/tail")
    @access(Access.INTERNAL)
    def follow() -> Response:
        asked = read_tail(query_values(), clock.now())
        if request.method == "HEAD":
            return Response(mimetype=MIMETYPE)
        reading = tail.open(asked.wanted, history=asked.history, last_id=request.headers.get("Last-Event-ID", ""))
        filters = [(name, text) for name, text in request.args.items(multi=True) if name not in _OF_THE_TAIL]
        return event_stream(_Events(reading, filters), current_client())

    return blueprint


class _Events:
    """Signals as text."""

    def __init__(self, reading: Reading, filters: list[tuple[str, str]]) -> None:
        self._reading = reading
        self._filters = filters
        # when the client was told last where it is
        self._told = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        for signal in self._reading:
            yield from self._pieces(signal)

    def close(self) -> None:
        self._reading.close()

    def _pieces(self, signal: Signal) -> Iterator[bytes]:
        if isinstance(signal, Idle):
            yield self._still_here(signal.place)
            return
        self._told = time.monotonic()
        if isinstance(signal, Entries):
            yield from _frames(signal.changes)
        elif isinstance(signal, Missed):
            yield _json_event("missed", self._missed(signal), signal.place)
        else:
            yield _json_event("live", {"complete": signal.complete}, signal.place)

    def _still_here(self, place: Live | None) -> bytes:
        """A client that gets nothing for a day must not come back with a place that nobody remembers."""
        if place is None or time.monotonic() - self._told < KEEP_ALIVE_SECONDS:
            return b""
        self._told = time.monotonic()
        return comment("still here") + event(id=sealed(place))

    def _missed(self, missed: Missed) -> dict[str, Any]:
        since, until = moment_text(missed.since), moment_text(missed.until)
        query = [*self._filters, ("since", since), ("until", until), ("order", "oldest")]
        return {"count": missed.number, "since": since, "until": until, "query": f"{_ENTRIES}?{urlencode(query)}"}


def _json_event(name: str, value: object, place: Live | None) -> bytes:
    return event(orjson.dumps(value), name=name, id=sealed(place) if place else "")


def _frames(changes: Iterable[Change]) -> Iterator[bytes]:
    frames: list[bytes] = []
    size = 0
    for change in changes:
        frame = _frame(change)
        if frames and size + len(frame) > _PIECE_BYTES:
            yield b"".join(frames)
            frames.clear()
            size = 0
        frames.append(frame)
        size += len(frame)
    yield b"".join(frames)


def _frame(change: Change) -> bytes:
    """Made once for all readers of what is live; a history is one reader's own."""
    if change.made is not None:
        return change.made
    made = event(orjson.dumps(entry_as_json(change.entry), default=str), id=sealed(change.place))
    if isinstance(change.place, Live):
        change.made = made
    return made
