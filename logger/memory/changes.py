"""What is stored in memory, in the order in which it is stored: the twin of MongoDB's change stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from common.ids import object_id_hex
from logger.domain import LogEntry
from logger.memory.store import MemoryLogStore
from logger.ports import Position
from logger.query.filters import Filter
from logger.tailing.changes import MAX_HISTORY, Batch, Change
from logger.tailing.places import Live, Moment, Past, unknown_place

_BATCH = 200
_LOOK_SECONDS = 0.01


class MemoryChangeLog:
    """Its time is the number of entries."""

    def __init__(self, store: MemoryLogStore) -> None:
        self._store = store

    def follow(self, place: Live | Moment | None) -> MemoryChangeStream:
        count = len(self._store)
        if place is None:
            return MemoryChangeStream(self._store, count)
        read = int(place.token, 16) if isinstance(place, Live) else place.ordinal
        if read > count:
            raise unknown_place()
        return MemoryChangeStream(self._store, read)

    def history(self, wanted: Filter, *, limit: int, resumed: Past | None = None) -> MemoryHistory:
        if resumed is None:
            return MemoryHistory(self._store, wanted, Moment(int(time.time()), len(self._store)), None, limit)
        return MemoryHistory(self._store, wanted, resumed.moment, resumed.after, MAX_HISTORY)


class MemoryChangeStream:
    def __init__(self, store: MemoryLogStore, read: int) -> None:
        self._store = store
        self._read = read
        self._closed = threading.Event()
        self._first = True

    def read(self, wait: float) -> Batch:
        end = time.monotonic() + (0 if self._first else wait)
        self._first = False
        while not (entries := self._store.stored(self._read)) and time.monotonic() < end:
            self._closed.wait(_LOOK_SECONDS)
        changes = [
            Change(entry, _place(number), len(entry.data))
            for number, entry in enumerate(entries[:_BATCH], self._read + 1)
        ]
        self._read += len(changes)
        return Batch(changes, _place(self._read), len(entries) > _BATCH)

    def close(self) -> None:
        self._closed.set()


class MemoryHistory:
    complete = True

    def __init__(
        self, store: MemoryLogStore, wanted: Filter, moment: Moment, after: Position | None, limit: int
    ) -> None:
        self.moment = moment
        there = [entry for entry in store.stored(0)[: moment.ordinal] if wanted.matches(entry)]
        places = sorted((_position(entry), entry) for entry in there)
        behind = [pair for pair in places if after is None or pair[0] > after]
        self._entries: Sequence[tuple[Position, LogEntry]] = behind[-limit:] if limit else []

    def __iter__(self) -> Iterator[list[Change]]:
        for position, entry in self._entries:
            yield [Change(entry, Past(self.moment, position), len(entry.data))]

    def close(self) -> None:
        self._entries = ()


def _position(entry: LogEntry) -> Position:
    return Position(entry.created_at, object_id_hex(entry.id))


def _place(read: int) -> Live:
    return Live(f"{read:016X}", int(time.time()))
