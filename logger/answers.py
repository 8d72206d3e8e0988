"""What the log store answers to who reads it, as JSON values. Times are RFC 3339 in UTC, in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from logger.domain import LogEntry
from logger.ports import Bar
from logger.query.filters import Filter
from logger.query.questions import HistogramAsked, in_words
from logger.search import Counted, Drawn, Found, Ranked
from protos.limits import LEVELS

Json = dict[str, Any]


def moment_text(moment: datetime) -> str:
    """Such as 2026-11-21T10:00:00.000Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def entry_as_json(entry: LogEntry, select: tuple[str, ...] = ()) -> Json:
    """`select`: only these members."""
    whole = {
        **entry._asdict(),
        "created_at": moment_text(entry.created_at),
        "updated_at": moment_text(entry.updated_at),
        "fields": entry.fields or {},
    }
    return {name: whole[name] for name in select} if select else whole


def page_as_json(found: Found, select: tuple[str, ...]) -> Json:
    items = [entry_as_json(entry, select) for entry in found.entries]
    return {"items": items, "next_cursor": found.next_cursor, **_completeness(found.complete, found.hint)}


def trace_as_json(trace_id: str, found: Found, select: tuple[str, ...]) -> Json:
    items = [entry_as_json(entry, select) for entry in found.entries]
    return {"trace_id": trace_id, "items": items, **_completeness(found.complete, found.hint)}


def count_as_json(wanted: Filter, counted: Counted) -> Json:
    entries = counted.entries
    return {
        "count": entries.count,
        **_range(wanted.since, wanted.until),
        **_completeness(entries.complete, counted.hint, entries.since),
    }


def histogram_as_json(asked: HistogramAsked, drawn: Drawn) -> Json:
    return {
        "bucket": in_words(asked.bucket),
        "bucket_seconds": asked.bucket,
        **_range(asked.since, asked.until),
        "buckets": [_bar(bar) for bar in drawn.bars],
        **_completeness(drawn.complete, drawn.hint, drawn.since),
    }


def facets_as_json(wanted: Filter, ranked: Ranked) -> Json:
    facets = ranked.facets
    return {
        "facets": {
            field: [{"value": value, "count": count} for value, count in values]
            for field, values in facets.values.items()
        },
        **_range(wanted.since, wanted.until),
        **_completeness(facets.complete, ranked.hint, facets.since),
    }


def _bar(bar: Bar) -> Json:
    levels = {level: bar.levels[level] for level in LEVELS if bar.levels.get(level)}
    return {"start": moment_text(bar.start), "count": sum(bar.levels.values()), "levels": levels | bar.levels}


def _range(since: datetime | None, until: datetime | None) -> Json:
    """The moments that the question's words came to; null is an open end."""
    return {"since": since and moment_text(since), "until": until and moment_text(until)}


def _completeness(complete: bool, hint: str, counted_since: datetime | None = None) -> Json:  # noqa: FBT001 - a member of the answer
    if complete:
        return {"complete": True}
    since = {} if counted_since is None else {"counted_since": moment_text(counted_since)}
    return {"complete": False, **since, "hint": hint}
