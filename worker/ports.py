"""What the listener needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from worker.domain import Entry, Postponed, Rejected


class LogStore(Protocol):
    def write(self, entries: Sequence[Entry]) -> list[str]:
        """Returns when all are durable or refused: for each entry, in order, the reason of its refusal, empty when kept.

        Writing the same id again keeps one. Raises AppError when the whole call failed.
        """


class DeadLetters(Protocol):
    def can_carry(self, rejected: Rejected) -> bool:
        """Whether the message can be written again as it came, with the reason added."""

    def keep(self, rejected: Sequence[Rejected]) -> None:
        """Returns when all are kept for good. Raises AppError; some may have been kept then."""


class RetryTiers(Protocol):
    def keep(self, postponed: Sequence[Postponed]) -> None:
        """Returns when all are kept for good. Raises AppError; some may have been kept then."""
