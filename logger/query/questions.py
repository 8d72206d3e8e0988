"""What may be asked: each question as a value, read from the values of a request. Raises InvalidError or MalformedError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from common.errors import InvalidError, Problem
from logger.domain import LogEntry
from logger.ports import Order, Question
from logger.query.cursors import Cursor, CursorError, opened, whole_milliseconds
from logger.query.filters import Filter
from logger.query.parameters import Parameters
from protos.rules import is_trace_id

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 50
MAX_VALUES = 100
DEFAULT_VALUES = 10
FACETS = ("name", "service", "level")
MAX_BARS = 1_000
HISTOGRAM_HOURS = 24

_BARS = 60
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST = 5_200 * _UNITS["w"]
_BUCKET = re.compile(r"([1-9][0-9]{0,5})([smhdw])", re.ASCII)
# Seconds that people divide time by.
_STEPS = (1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)


class PageAsked(NamedTuple):
    """`asked_at`: when the first page was asked for, in whole milliseconds. `select`: members of the entries, all when empty."""

    question: Question
    asked_at: datetime
    select: tuple[str, ...] = ()


class HistogramAsked(NamedTuple):
    """`wanted` has both ends; `bucket` is in seconds."""

    wanted: Filter
    since: datetime
    until: datetime
    bucket: int


class FacetsAsked(NamedTuple):
    wanted: Filter
    fields: tuple[str, ...]
    limit: int


class TraceAsked(NamedTuple):
    trace_id: str
    select: tuple[str, ...] = ()


def read_page(values: Mapping[str, Any], now: datetime) -> PageAsked:
    given = Parameters(values, own=("order", "limit", "cursor", "select"))
    order = cast("Order", given.choice("order", ("newest", "oldest"), "newest"))
    limit = given.number("limit", most=MAX_LIMIT, default=DEFAULT_LIMIT)
    select = given.names("select", LogEntry._fields)
    cursor = _cursor(given)
    # with the first page's moment the same words give the same filter, and a filter that was changed another
    asked_at = whole_milliseconds(now) if cursor is None else cursor.asked_at
    wanted = given.filter(asked_at)
    given.check()
    if cursor is not None and not cursor.continues(wanted, order):
        given.refuse("cursor", "belongs to another filter or order; repeat those of its page", malformed=True)
        given.check()
    return PageAsked(Question(wanted, order, limit, cursor.position if cursor else None), asked_at, select)


def _cursor(given: Parameters) -> Cursor | None:
    text = given.text("cursor")
    if text is None:
        return None
    try:
        return opened(text)
    except CursorError:
        given.refuse("cursor", "is no cursor of this service, or not a whole one", malformed=True)
        return None


def read_count(values: Mapping[str, Any], now: datetime) -> Filter:
    given = Parameters(values, own=())
    wanted = given.filter(whole_milliseconds(now))
    given.check()
    return wanted


def read_facets(values: Mapping[str, Any], now: datetime) -> FacetsAsked:
    given = Parameters(values, own=("limit", "fields"))
    limit = given.number("limit", most=MAX_VALUES, default=DEFAULT_VALUES)
    fields = given.names("fields", FACETS, FACETS)
    wanted = given.filter(whole_milliseconds(now))
    given.check()
    return FacetsAsked(wanted, fields, limit)


def read_trace(trace_id: str, values: Mapping[str, Any]) -> TraceAsked:
    given = Parameters(values, own=("select",), filtering=False)
    select = given.names("select", LogEntry._fields)
    if not is_trace_id(trace_id):
        given.refuse("trace_id", "must be 32 hexadecimal digits in lower case")
    given.check()
    return TraceAsked(trace_id, select)


def read_histogram(values: Mapping[str, Any], now: datetime) -> HistogramAsked:
    """From 24 hours before the end on unless it says more; until now."""
    now = whole_milliseconds(now)
    given = Parameters(values, own=("bucket",))
    bucket = _bucket(given)
    wanted = given.filter(now)
    given.check()
    until = wanted.until or now
    since = wanted.since or _day_before(until)
    bucket = bucket or _nice(since, until)
    since = max(since, _first_start(bucket))
    if since >= until:
        raise InvalidError("since: must be before until", problems=[Problem("#/since", "must be before until")])
    bars = _bars(since, until, bucket)
    if bars > MAX_BARS:
        detail = (
            f"makes {bars} buckets of this range, {MAX_BARS} are the most: ask for longer ones or for a shorter range"
        )
        raise InvalidError(f"bucket: {detail}", problems=[Problem("#/bucket", detail)])
    return HistogramAsked(wanted._replace(since=since, until=until), since, until, bucket)


def bucket_start(moment: datetime, seconds: int) -> datetime:
    """The start of the bucket that holds the moment: a multiple of its length since 1970."""
    return moment - (moment - _EPOCH) % timedelta(seconds=seconds)


def in_words(seconds: int) -> str:
    """As `bucket` is written: `300` is `5m`."""
    unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _bucket(given: Parameters) -> int:
    """In seconds; 0 when it is not given, or not readable."""
    text = given.text("bucket")
    if text is None:
        return 0
    found = _BUCKET.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        given.refuse("bucket", "must be a whole number and a unit: s, m, h, d or w, such as 5m; 5200w is the longest")
        return 0
    return seconds


def _first_start(bucket: int) -> datetime:
    """Of the first bucket that begins where the calendar does or later."""
    over = (_EPOCH - _FIRST) % timedelta(seconds=bucket)
    return _FIRST + over


def _day_before(moment: datetime) -> datetime:
    day = timedelta(hours=HISTOGRAM_HOURS)
    return _FIRST if moment - _FIRST < day else moment - day


def _nice(since: datetime, until: datetime) -> int:
    wide = (until - since).total_seconds() / _BARS
    week = _STEPS[-1]
    return next((step for step in _STEPS if step >= wide), -(-int(wide) // week) * week + week)


def _bars(since: datetime, until: datetime, bucket: int) -> int:
    length = timedelta(seconds=bucket)
    return -((bucket_start(since, bucket) - until) // length)
