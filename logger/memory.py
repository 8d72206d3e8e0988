"""The log store in memory: for tests and for learning; gone with the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from common.ids import object_id_hex
from logger.domain import LogEntry


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

    def __len__(self) -> int:
        return len(self._entries)
