"""The live tail's door over HTTP, over the store in memory: how an answer comes in pieces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask import Flask

from common.clock import FixedClock
from common.ids import new_record_id
from logger.domain import LogEntry
from logger.memory.changes import MemoryChangeLog
from logger.memory.store import MemoryLogStore
from logger.ports import Position
from logger.query.filters import Filter
from logger.routes.tail import tail_blueprint
from logger.tailing.changes import Change
from logger.tailing.feed import Feed
from logger.tailing.places import Moment, Past
from logger.tailing.tail import Tail

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MEBIBYTE = 1024 * 1024
MOMENT = Moment(int(NOON.timestamp()), 0)


class OneBatch:
    """A history that comes at once."""

    moment = MOMENT
    complete = True

    def __init__(self, changes: list[Change]) -> None:
        self._changes = changes

    def __iter__(self) -> Iterator[list[Change]]:
        yield self._changes

    def close(self) -> None:
        pass


class WithHistory(MemoryChangeLog):
    def __init__(self, store: MemoryLogStore, changes: list[Change]) -> None:
        super().__init__(store)
        self._changes = changes

    def history(self, wanted: Filter, *, limit: int, resumed: Past | None = None) -> OneBatch:
        return OneBatch(self._changes)


def past(size: int) -> Change:
    entry = LogEntry(new_record_id(), "name", "x" * size, "INFO", "", "http", "", "", NOON, NOON)
    return Change(entry, Past(MOMENT, Position(NOON, entry.id)), size)


@pytest.fixture
def pieces() -> Iterator[Callable[[list[Change]], list[bytes]]]:
    """What the answer hands over piece by piece, as far as what is live begins."""
    feeds: list[Feed] = []

    def read(changes: list[Change]) -> list[bytes]:
        log = WithHistory(MemoryLogStore(), changes)
        feed = Feed(log)
        feeds.append(feed)
        app = Flask(__name__)
        app.extensions["lifecycle"] = SimpleNamespace(stopping=threading.Event())
        app.register_blueprint(tail_blueprint(Tail(log, feed, FixedClock(NOON), streams=1), FixedClock(NOON)))
        answer = app.test_client().get("/api/v1/logs/tail", buffered=False)
        found: list[bytes] = []
        for piece in answer.response:
            found.append(bytes(piece))
            if b"event: live" in piece:
                break
        answer.close()
        return [piece for piece in found if b"data: " in piece and b"event: live" not in piece]

    yield read
    for feed in feeds:
        feed.stop()


def test_large_entries_are_handed_over_one_by_one(pieces):
    found = pieces([past(MEBIBYTE) for _ in range(5)])

    assert [piece.count(b"data: ") for piece in found] == [1] * 5


def test_small_entries_share_a_piece_of_limited_size(pieces):
    found = pieces([past(1_000) for _ in range(200)])

    assert sum(piece.count(b"data: ") for piece in found) == 200
    assert 3 <= len(found) <= 6
    assert max(map(len, found)) <= 64 * 1024


def test_what_was_made_of_a_history_is_not_kept_with_it(pieces):
    changes = [past(10), past(MEBIBYTE), past(10)]

    assert len(b"".join(pieces(changes)).split(b"data: ")) == 4
    assert [change.made for change in changes] == [None] * 3
