"""What the live tail needs from the store: entries in the order in which they were stored, from a place on, and those before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from logger.domain import LogEntry
from logger.query.filters import Filter
from logger.tailing.places import Live, Moment, Past

# Entries of a history.
MAX_HISTORY = 1_000


class GoneError(Exception):
    """The store does not know any more what happened at this place."""


@dataclass(slots=True, eq=False)
class Change:
    """An entry that was stored. `size` is about its bytes in memory.

    `made`: what a door made of it, kept because many readers are sent the same.
    """

    entry: LogEntry
    place: Live | Past
    size: int
    made: bytes | None = None


class Batch(NamedTuple):
    """`place`: everything up to there has been read. `more`: there is more to read at once."""

    changes: list[Change]
    place: Live
    more: bool


class ChangeStream(Protocol):
    def read(self, wait: float) -> Batch:
        """What comes next, waiting for it `wait` seconds at most; the first time not at all.

        Raises GoneError or UnavailableError; then the stream is of no more use.
        """

    def close(self) -> None: ...


class History(Protocol):
    """The newest entries that match of those that were there at `moment`, oldest first, in batches."""

    moment: Moment
    complete: bool

    def __iter__(self) -> Iterator[list[Change]]:
        """Raises GoneError or UnavailableError."""

    def close(self) -> None: ...


class ChangeLog(Protocol):
    def follow(self, place: Live | Moment | None) -> ChangeStream:
        """All that is stored after the place, after the moment, or from now on.

        Raises GoneError, UnavailableError, or MalformedError for a place that never was one.
        """

    def history(self, wanted: Filter, *, limit: int, resumed: Past | None = None) -> History:
        """`resumed`: the rest of a history that was begun. Raises GoneError or UnavailableError."""
