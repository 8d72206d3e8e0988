"""The use cases of who reads the log store, the same behind every door: a bounded number of questions at a time, each bounded in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from common.gate import Gate
from common.ids import object_id_hex
from logger.domain import LogEntry
from logger.ports import Bar, Count, Facets, Histogram, LogCounter, LogReader, Page, Position, Question
from logger.query.cursors import Cursor, fingerprint, sealed
from logger.query.filters import DATA, FIELDS, Condition, Filter
from logger.query.questions import FacetsAsked, HistogramAsked, PageAsked, bucket_start

# Questions under way in one process, so that writing keeps most of it, and those that wait for their turn, for so many seconds.
QUESTIONS = 8
WAITING = 32
PATIENCE_SECONDS = 1.0
RETRY_SECONDS = 1
MAX_TRACE = 10_000
# The texts of one answer in bytes; a single entry may be more.
MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_TRACE_BYTES = 16 * 1024 * 1024

_FOLLOW = " next_cursor goes on from there."


class Found(NamedTuple):
    """`next_cursor` is None at the end. Not `complete`: the time for one question was over first; `hint` says what to narrow."""

    entries: list[LogEntry]
    next_cursor: str | None
    complete: bool = True
    hint: str = ""


class Counted(NamedTuple):
    entries: Count
    hint: str = ""


class Drawn(NamedTuple):
    """One bar for each bucket that was looked at, also where there is nothing; without the ones before `since` when not `complete`."""

    bars: list[Bar]
    complete: bool
    since: datetime | None
    hint: str = ""


class Ranked(NamedTuple):
    facets: Facets
    hint: str = ""


class LogSearch:
    """Each method raises TooManyError when too many ask at the same time, and UnavailableError when the store is away."""

    def __init__(self, reader: LogReader, counter: LogCounter, *, patience: float = PATIENCE_SECONDS) -> None:
        """`patience`: seconds that a question waits for its turn."""
        self._reader = reader
        self._counter = counter
        self._gate = Gate(
            slots=QUESTIONS,
            waiting=WAITING,
            patience=patience,
            refusal="too many questions at the moment",
            retry_after=RETRY_SECONDS,
        )

    def page(self, asked: PageAsked, *, most: int = MAX_PAGE_BYTES) -> Found:
        """`most`: the bytes of the texts; a page has at least one entry, however large."""
        question = asked.question
        with self._gate.pass_through():
            page = _within(self._reader.page(question), most)
        following = page.following and sealed(
            Cursor(page.following, question.order, asked.asked_at, fingerprint(question.filter))
        )
        return Found(page.entries, following, page.complete, _hint(page, question.filter, _FOLLOW))

    def trace(self, trace_id: str) -> Found:
        """The entries of a trace, oldest first; not `complete` when there are more than one answer holds."""
        wanted = Filter(conditions=(Condition("trace_id", (trace_id,)),))
        with self._gate.pass_through():
            page = _within(self._reader.page(Question(wanted, "oldest", MAX_TRACE)), MAX_TRACE_BYTES)
        whole = page.complete and page.following is None
        hint = "" if whole else "The trace has more entries; GET /api/v1/logs?trace_id= reads them page by page."
        return Found(page.entries, None, whole, hint)

    def count(self, wanted: Filter) -> Counted:
        with self._gate.pass_through():
            count = self._counter.count(wanted)
        return Counted(count, _hint(count, wanted))

    def histogram(self, asked: HistogramAsked) -> Drawn:
        with self._gate.pass_through():
            found = self._counter.histogram(asked.wanted, seconds=asked.bucket)
        since = max(asked.since, found.since or asked.since)
        empty = {start: Bar(start, {}) for start in _starts(since, asked)}
        bars = sorted((empty | {bar.start: bar for bar in found.bars}).values(), key=lambda bar: bar.start)
        return Drawn(bars, found.complete, found.since, _hint(found, asked.wanted))

    def facets(self, asked: FacetsAsked) -> Ranked:
        with self._gate.pass_through():
            facets = self._counter.facets(asked.wanted, asked.fields, limit=asked.limit)
        return Ranked(facets, _hint(facets, asked.wanted))


def _within(page: Page, size: int) -> Page:
    """As much of the page as fits into `size` bytes, one entry at least."""
    for index, entry in enumerate(page.entries):
        size -= _bytes(entry)
        if size < 0 and index:
            last = page.entries[index - 1]
            return Page(page.entries[:index], Position(last.created_at, object_id_hex(last.id)))
    return page


def _bytes(entry: LogEntry) -> int:
    texts = (entry.data, entry.name, entry.service, entry.request_id, entry.id)
    size = sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in texts)
    return size + (len(orjson.dumps(entry.fields)) if entry.fields else 0) + 300


def _starts(since: datetime, asked: HistogramAsked) -> Iterator[datetime]:
    """Of every bucket from the one that holds `since` on."""
    length = timedelta(seconds=asked.bucket)
    start = bucket_start(since, asked.bucket)
    yield start
    # adding would overflow where the calendar ends
    while asked.until - start > length:
        start = bucket_start(start + length, asked.bucket)
        yield start


def _hint(answer: Page | Count | Histogram | Facets, wanted: Filter, more: str = "") -> str:
    """What makes the question cheaper, when its time was over before the whole range was looked through."""
    if answer.complete:
        return ""
    advice = []
    if wanted.since is None:
        advice.append("a beginning, such as since=1h")
    elif wanted.until is None:
        advice.append("a later beginning or an end")
    else:
        advice.append("a shorter range of time")
    plain = {condition.field for condition in wanted.conditions if not condition.negated}
    if not plain & {"name", "trace_id", "id"}:
        advice.append("a name or a trace_id")
    if DATA not in plain and any(field.startswith(FIELDS) for field in plain):
        advice.append("a word of the text")
    return f"The time for one question was over before the whole range was looked through. Narrow it: {', '.join(advice)}.{more}"
