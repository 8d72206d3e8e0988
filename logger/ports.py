"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from logger.domain import LogEntry


class LogStore(Protocol):
    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        """Stores the entries so that a crash cannot lose them; False where the id was there before.

        Raises UnavailableError when it is not certain that all are stored; the same call may then be made again.
        """

    def find(self, record_id: str) -> LogEntry | None: ...


class EntryWriter(Protocol):
    def write(self, entries: Sequence[LogEntry]) -> Sequence[bool]:
        """As `LogStore.insert`, and may raise TooManyError or DeadlineError."""
