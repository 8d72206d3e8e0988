"""Log store, dead letters and retry tiers in memory: for tests and for learning; gone with the process."""

from __future__ import annotations

from collections.abc import Sequence

from worker.domain import Entry, Postponed, Rejected


class MemoryLogStore:
    """`failures` are raised, one a call, before anything is kept; `refusals` gives reasons by entry name."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.calls: list[int] = []
        self.failures: list[Exception] = []
        self.refusals: dict[str, str] = {}

    def write(self, entries: Sequence[Entry]) -> list[str]:
        self.calls.append(len(entries))
        if self.failures:
            raise self.failures.pop(0)
        reasons = [self.refusals.get(entry.name, "") for entry in entries]
        for entry, reason in zip(entries, reasons, strict=True):
            if not reason:
                self.entries.setdefault(entry.id, entry)
        return reasons


class MemoryDeadLetters:
    """`failures` are raised, one a call; messages whose routing key is in `uncarriable` cannot be written again."""

    def __init__(self) -> None:
        self.kept: list[Rejected] = []
        self.failures: list[Exception] = []
        self.uncarriable: set[str] = set()

    def can_carry(self, rejected: Rejected) -> bool:
        return rejected.delivery.routing_key not in self.uncarriable

    def keep(self, rejected: Sequence[Rejected]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.kept.extend(rejected)


class MemoryRetryTiers:
    """`failures` are raised, one a call."""

    def __init__(self) -> None:
        self.kept: list[Postponed] = []
        self.failures: list[Exception] = []

    def keep(self, postponed: Sequence[Postponed]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.kept.extend(postponed)
