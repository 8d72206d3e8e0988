"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from logger.domain import LogEntry
from logger.query.filters import Filter

Order = Literal["newest", "oldest"]


class LogStore(Protocol):
    def insert(self, entries: Sequence[LogEntry]) -> list[bool]:
        """Stores the entries so that a crash cannot lose them; False where the id was there before.

        Raises UnavailableError when it is not certain that all are stored; the same call may then be made again.
        """

    def find(self, record_id: str) -> LogEntry | None: ...


class EntryWriter(Protocol):
    def write(self, entries: Sequence[LogEntry]) -> Sequence[bool]:
        """As `LogStore.insert`, and may raise TooManyError or DeadlineError."""


class Position(NamedTuple):
    """A place between entries, which are in order of `created_at`, then of `key`, the 24 hexadecimal digits of `_id`."""

    created_at: datetime
    key: str


class Question(NamedTuple):
    """At most `limit` entries that match, from just behind `after`, or from the first one.

    `seconds`: the time for it, where its asker has less than the reader would take.
    """

    filter: Filter
    order: Order = "newest"
    limit: int = 50
    after: Position | None = None
    seconds: float | None = None


class Page(NamedTuple):
    """`following`: where the next page begins, None at the end. Not `complete`: the time for one question was spent before the page was
    full, and `following` is as far as was looked.
    """

    entries: list[LogEntry]
    following: Position | None
    complete: bool = True


class Count(NamedTuple):
    """Not `complete`: the time for one question was spent, and only entries created at `since` or later are counted."""

    count: int  # type: ignore[assignment]  # a tuple's method of this name is not for such a value
    complete: bool = True
    since: datetime | None = None


class Bar(NamedTuple):
    """The entries of one bucket of a histogram, by level. `start` is a multiple of the bucket's length since 1970."""

    start: datetime
    levels: dict[str, int]


class Histogram(NamedTuple):
    """Bars in order of time; buckets without an entry have none. `complete` and `since` as in Count."""

    bars: list[Bar]
    complete: bool = True
    since: datetime | None = None


class Facets(NamedTuple):
    """For each field the values that most entries have, with their number. `complete` and `since` as in Count."""

    values: dict[str, list[tuple[str, int]]]
    complete: bool = True
    since: datetime | None = None


class LogReader(Protocol):
    """Bounded in time. Raises UnavailableError when the store cannot be asked, DeadlineError when it did not answer at all."""

    def page(self, question: Question) -> Page: ...


class LogCounter(Protocol):
    """As LogReader."""

    def count(self, wanted: Filter) -> Count: ...

    def histogram(self, wanted: Filter, *, seconds: int) -> Histogram:
        """`wanted.since` and `wanted.until` are both set; buckets are `seconds` long."""

    def facets(self, wanted: Filter, fields: Sequence[str], *, limit: int) -> Facets:
        """`fields` out of name, service and level."""
