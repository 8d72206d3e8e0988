"""Numbers of entries that are held in memory, as the log store's database gives them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from logger.domain import LogEntry
from logger.ports import Bar, Count, Facets, Histogram
from logger.query.filters import Filter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def count_of(entries: Iterable[LogEntry], wanted: Filter) -> Count:
    return Count(sum(wanted.matches(entry) for entry in entries))


def histogram_of(entries: Iterable[LogEntry], wanted: Filter, *, seconds: int) -> Histogram:
    bars: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if wanted.matches(entry):
            bars[(entry.created_at - _EPOCH) // timedelta(seconds=seconds)][entry.level] += 1
    return Histogram(
        [Bar(_EPOCH + timedelta(seconds=number * seconds), dict(levels)) for number, levels in sorted(bars.items())]
    )


def facets_of(entries: Iterable[LogEntry], wanted: Filter, fields: Sequence[str], *, limit: int) -> Facets:
    counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
    for entry in entries:
        if wanted.matches(entry):
            for field, total in counts.items():
                total[getattr(entry, field)] += 1
    return Facets(
        {field: sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:limit] for field, total in counts.items()}
    )
