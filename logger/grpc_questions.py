"""The questions of who reads the log store over gRPC: messages to questions, and answers to messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import orjson

from common.clock import Clock
from common.errors import InvalidError, Problem, TooManyError
from logger.answers import moment_text
from logger.domain import LogEntry
from logger.query.questions import read_count, read_page
from logger.search import LogSearch
from protos import logs_pb2

_ORDERS = {logs_pb2.QueryRequest.NEWEST_FIRST: "newest", logs_pb2.QueryRequest.OLDEST_FIRST: "oldest"}


# The texts of a page in bytes: what a client takes that was not told to take more is a message of 4 MiB.
MAX_PAGE_BYTES = 3_584 * 1024
# Of the time until a call's deadline; the rest is for the answer to arrive.
_SHARE = 0.9
# Who waits longer than this has no deadline.
_ENDLESS_SECONDS = 3_600.0


class GrpcQuestions:
    """`threads`: how many of the door's threads questions may hold, so that writers always find one."""

    def __init__(self, search: LogSearch, clock: Clock, *, threads: int) -> None:
        self._search = search
        self._clock = clock
        self._threads = threading.BoundedSemaphore(threads)

    def query(self, request: logs_pb2.QueryRequest, call: grpc.ServicerContext) -> logs_pb2.QueryResponse:
        with self._thread():
            asked = read_page(_page_values(request), self._clock.now())
            asked = asked._replace(question=asked.question._replace(seconds=_time_for(call)))
            found = self._search.page(asked, most=MAX_PAGE_BYTES)
        return logs_pb2.QueryResponse(
            entries=map(entry_message, found.entries),
            next_cursor=found.next_cursor or "",
            complete=found.complete,
            hint=found.hint,
        )

    def count(self, request: logs_pb2.CountRequest) -> logs_pb2.CountResponse:
        with self._thread():
            counted = self._search.count(read_count(filter_values(request.filter), self._clock.now()))
        entries = counted.entries
        return logs_pb2.CountResponse(
            count=entries.count,
            complete=entries.complete,
            counted_since=moment_text(entries.since) if entries.since else "",
            hint=counted.hint,
        )

    @contextmanager
    def _thread(self) -> Iterator[None]:
        if not self._threads.acquire(blocking=False):
            raise TooManyError("too many questions at the moment")
        try:
            yield
        finally:
            self._threads.release()


def _time_for(call: grpc.ServicerContext) -> float | None:
    left = call.time_remaining()
    return None if left is None or left > _ENDLESS_SECONDS else left * _SHARE


def filter_values(wanted: logs_pb2.LogFilter) -> dict[str, Any]:
    """The members that are set, as `logger/query/language.py` takes them. Raises InvalidError."""
    values: dict[str, Any] = {}
    for field, value in wanted.ListFields():
        values[field.name] = value if isinstance(value, str) else list(value)
    text = values.pop("fields_json", "")
    return values | {"fields": _object(text)} if text else values


def _object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise InvalidError(
            "fields_json: must be a JSON object", problems=[Problem("#/fields_json", "must be an object")]
        )
    return value


def _page_values(request: logs_pb2.QueryRequest) -> dict[str, Any]:
    values = filter_values(request.filter) | {"order": _ORDERS.get(request.order, str(request.order))}
    if request.limit:
        values["limit"] = request.limit
    if request.cursor:
        values["cursor"] = request.cursor
    return values


def entry_message(entry: LogEntry) -> logs_pb2.Log:
    return logs_pb2.Log(
        name=entry.name,
        data=entry.data,
        id=entry.id,
        level=entry.level,
        service=entry.service,
        protocol=entry.protocol,
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        timestamp=moment_text(entry.created_at),
        span_id=entry.span_id,
        fields_json=orjson.dumps(entry.fields).decode() if entry.fields else "",
        category=entry.category,
    )
