"""Entries as lines of JSON, many at a time: the export, and the files that retention writes before it deletes."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import orjson

from common.errors import AppError, DeadlineError, UnavailableError
from logger.domain import LogEntry
from logger.ports import LogReader, Page, Position, Question
from logger.query.filters import Filter

# So many are read, and written as one piece, at a time: a few milliseconds, so that others have their turn in between.
PORTION = 500
PIECE_BYTES = 128 * 1024
# For one portion, and the seconds in between.
TRIES = 4
PAUSE_SECONDS = 1.0
# Who waits for a rare entry is told that the search goes on.
SILENCE_SECONDS = 10.0
SIGN_OF_LIFE = b"\n"

MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(microsecond=0, tzinfo=UTC)


def line_of(entry: LogEntry) -> bytes:
    """One line, with the line's end; the members of GET /api/v1/logs/{id}."""
    members: dict[str, object] = entry._asdict()
    created = members["created_at"] = _moment_text(entry.created_at)
    same = entry.updated_at == entry.created_at
    members["updated_at"] = created if same else _moment_text(entry.updated_at)
    members["fields"] = entry.fields or {}
    return orjson.dumps(members, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _moment_text(moment: datetime) -> str:
    """Of a time in UTC."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class Export:
    """One export, oldest first."""

    def __init__(self, reader: LogReader, wanted: Filter) -> None:
        self._reader = reader
        self._wanted = wanted
        self.entries = 0
        self.complete = False
        self._until: datetime | None = None
        self.reason = ""
        self._pause = threading.Event()

    def begin(self) -> None:
        """Without an end of its own it ends at the entry that is the newest now, so that it comes to an end beside writers.

        Raises what the reader raises, while a refusal can still be told with a status.
        """
        newest = self._reader.page(Question(Filter(), "newest", 1)).entries
        if self._wanted.until is None and newest and newest[0].created_at < _LAST:
            self._wanted = self._wanted._replace(until=newest[0].created_at + MILLISECOND)

    def pieces(self, over: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Lines, then the last one, which says whether that is all. Ends early, and says so, when `over` becomes true.

        Empty pieces, and empty lines now and then, are signs of life.
        """
        wrote = time.monotonic()
        try:
            for lines in self._portions():
                for piece in _joined(lines):
                    silent = not piece and time.monotonic() - wrote >= SILENCE_SECONDS
                    yield SIGN_OF_LIFE if silent else piece
                    if piece or silent:
                        wrote = time.monotonic()
                if over():
                    self.reason = "the export was stopped"
                    break
            else:
                self.complete = True
        except AppError as error:
            self.reason = error.message
        yield self._trailer()

    def _portions(self) -> Iterator[list[bytes]]:
        after: Position | None = None
        while True:
            page = self._page(Question(self._wanted, "oldest", PORTION, after))
            self.entries += len(page.entries)
            if page.entries:
                self._until = page.entries[-1].created_at
            yield [line_of(entry) for entry in page.entries]
            after = page.following
            if after is None:
                return

    def _page(self, question: Question) -> Page:
        """An hour's export does not end because the database changes its primary or is busy for a moment."""
        for _ in range(TRIES - 1):
            try:
                return self._reader.page(question)
            except (DeadlineError, UnavailableError):
                self._pause.wait(PAUSE_SECONDS)
        return self._reader.page(question)

    def _trailer(self) -> bytes:
        told: dict[str, object] = {"entries": self.entries, "complete": self.complete}
        if not self.complete:
            told["reason"] = self.reason
            told["until"] = self._until and _moment_text(self._until)
        return orjson.dumps({"export": told}, option=orjson.OPT_APPEND_NEWLINE)


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """In pieces of a size that is written at once."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 1952; the fastest level, since the network is rarely slower than that.

    The packer keeps small pieces to itself, so the silence that a client sees is counted behind it.
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    wrote = time.monotonic()
    for piece in pieces:
        packed = packer.compress(piece)
        if piece == SIGN_OF_LIFE or time.monotonic() - wrote >= SILENCE_SECONDS:
            packed += packer.flush(zlib.Z_SYNC_FLUSH)
        if packed:
            wrote = time.monotonic()
        yield packed
    yield packer.flush()
