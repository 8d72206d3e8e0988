"""The log store in memory: for tests and for learning; gone with the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from common.ids import object_id_hex
from logger.domain import LogEntry
from logger.memory.counts import count_of, facets_of, histogram_of
from logger.ports import Count, Facets, Histogram, Page, Position, Question
from logger.query.filters import Filter


class MemoryLogStore:
    def __init__(self) -> None:
        self._entries: dict[str, LogEntry] = {}
        self._lock = threading.Lock()

    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        with self._lock:
            return [self._add(entry) for entry in entries]

    def _add(self, entry: LogEntry) -> bool:
        key = object_id_hex(entry.id)
        new = key not in self._entries
        self._entries.setdefault(key, entry)
        return new

    def find(self, record_id: str) -> LogEntry | None:
        with self._lock:
            return self._entries.get(object_id_hex(record_id))

    def stored(self, first: int) -> list[LogEntry]:
        """In the order in which they were stored, without the `first` ones."""
        with self._lock:
            return list(self._entries.values())[first:]

    def page(self, question: Question) -> Page:
        newest = question.order == "newest"
        with self._lock:
            places = {Position(entry.created_at, key): entry for key, entry in self._entries.items()}
        found: list[Position] = []
        for place in sorted(places, reverse=newest):
            if question.after is not None and (place >= question.after if newest else place <= question.after):
                continue
            if question.filter.matches(places[place]):
                if len(found) == question.limit:
                    return Page([places[each] for each in found], found[-1])
                found.append(place)
        return Page([places[each] for each in found], None)

    def count(self, wanted: Filter) -> Count:
        return count_of(self.stored(0), wanted)

    def histogram(self, wanted: Filter, *, seconds: int) -> Histogram:
        return histogram_of(self.stored(0), wanted, seconds=seconds)

    def facets(self, wanted: Filter, fields: Sequence[str], *, limit: int) -> Facets:
        return facets_of(self.stored(0), wanted, fields, limit=limit)

    def __len__(self) -> int:
        return len(self._entries)
