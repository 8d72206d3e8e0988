"""Requests and replies at the HTTP edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import Field

from common.errors import InvalidError
from common.web.reading import Body, validate
from logger.domain import Draft, LogEntry

_STRING = {str}


class LogBody(Body):
    """`name` and `data` as in the Go original; the rest may be left out. The rules on the values are the domain's."""

    name: str
    data: str
    id: str = ""
    level: str = ""
    service: str = ""
    request_id: str = ""
    trace_id: str = ""
    timestamp: str = ""
    span_id: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)

    def draft(self) -> Draft:
        return Draft(**self.model_dump())


def read_draft(value: object) -> Draft:
    """The draft in a JSON value. Raises InvalidError that names every member of the wrong type."""
    if not isinstance(value, dict):
        return validate(LogBody, value).draft()
    get: Callable[..., Any] = value.get
    name, data, record_id, level = get("name"), get("data"), get("id", ""), get("level", "")
    service, request_id, trace_id = get("service", ""), get("request_id", ""), get("trace_id", "")
    timestamp, span_id, fields = get("timestamp", ""), get("span_id", ""), get("fields", {})
    texts = (name, data, record_id, level, service, request_id, trace_id, timestamp, span_id)
    # the model costs several times as much, and is asked only when it has something to complain about
    if set(map(type, texts)) != _STRING or type(fields) is not dict:
        return validate(LogBody, value).draft()
    return Draft(name, data, record_id, level, service, "", request_id, trace_id, timestamp, span_id, fields)


def read_drafts(values: Iterable[Any]) -> list[Draft | InvalidError]:
    """One for each value, in order; an InvalidError among the values stays what it is."""
    drafts: list[Draft | InvalidError] = []
    for value in values:
        try:
            drafts.append(value if isinstance(value, InvalidError) else read_draft(value))
        except InvalidError as error:
            drafts.append(error)
    return drafts


def entry_as_json(entry: LogEntry) -> dict[str, object]:
    return {**entry._asdict(), "fields": entry.fields or {}}
