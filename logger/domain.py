"""What a log entry is and which entries are accepted. No I/O.

Named tuples instead of dataclasses: each of up to a thousand entries in a call becomes one of each, and they cost a third to make.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from common.errors import InvalidError, Problem
from common.ids import is_safe_id, new_record_id
from protos import rules
from protos.limits import (
    AUDIT,
    MAX_DATA_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_SERVICE_CHARACTERS,
    PROTOCOLS,
)
from protos.rules import FieldsError, check_fields, fields_from_json, is_span_id, is_trace_id, level_of, moment_of

Fields = dict[str, Any]


class Draft(NamedTuple):
    """An entry as a writer sent it, unchecked. Writers of the Go original know only name and data; empty means not given.

    `fields` is structured data, or `fields_json` its JSON text, which wins.
    """

    name: str
    data: str
    id: str = ""
    level: str = ""
    service: str = ""
    protocol: str = ""
    request_id: str = ""
    trace_id: str = ""
    timestamp: str = ""
    span_id: str = ""
    fields: Fields | None = None
    fields_json: str = ""
    category: str = ""


class LogEntry(NamedTuple):
    """An accepted entry. `id` is its one identity in the whole system; times are aware, in UTC, whole milliseconds."""

    id: str
    name: str
    data: str
    level: str
    service: str
    protocol: str
    request_id: str
    trace_id: str
    created_at: datetime
    updated_at: datetime
    span_id: str = ""
    fields: Fields | None = None
    category: str = ""


class Arrival(NamedTuple):
    """How entries came in: what they get where they say nothing themselves. `door` is one of PROTOCOLS."""

    door: str
    moment: datetime
    request_id: str = ""
    trace_id: str = ""


def arrival(door: str, now: datetime, *, request_id: str = "", trace_id: str = "") -> Arrival:
    return Arrival(door, _whole_milliseconds(now), request_id, trace_id)


def accept(draft: Draft, came: Arrival) -> LogEntry:
    """The entry for a draft. Raises InvalidError that names every broken rule."""
    problems: list[Problem] = []
    _check_texts(draft, problems)
    level = level_of(draft.level)
    if level is None:
        problems.append(Problem("#/level", rules.NOT_A_LEVEL))
    protocol = draft.protocol or came.door
    if protocol not in PROTOCOLS:
        problems.append(Problem("#/protocol", f"must be one of {', '.join(PROTOCOLS)}"))
    if draft.category and draft.category != AUDIT:
        problems.append(Problem("#/category", rules.NOT_A_CATEGORY))
    moment = _moment(draft.timestamp, problems) if draft.timestamp else came.moment
    _check_ids(draft, problems)
    fields = _fields(draft, problems) if draft.fields or draft.fields_json else None
    if problems or level is None or moment is None:
        raise _refusal(problems)
    return LogEntry(
        draft.id or new_record_id(),
        draft.name,
        draft.data,
        level,
        draft.service,
        protocol,
        draft.request_id or came.request_id,
        draft.trace_id or came.trace_id,
        moment,
        moment,
        draft.span_id,
        fields,
        draft.category,
    )


def _refusal(problems: list[Problem]) -> InvalidError:
    first = problems[0]
    return InvalidError(f"{first.pointer.removeprefix('#/')}: {first.detail}", problems=problems)


def _check_texts(draft: Draft, problems: list[Problem]) -> None:
    name, data, service = draft.name, draft.data, draft.service
    if not name:
        problems.append(Problem("#/name", rules.EMPTY))
    if len(name) > MAX_NAME_CHARACTERS:
        problems.append(Problem("#/name", rules.NAME_TOO_LONG))
    if len(service) > MAX_SERVICE_CHARACTERS:
        problems.append(Problem("#/service", rules.SERVICE_TOO_LONG))
    for field, value in (("name", name), ("data", data), ("service", service)):
        if "\x00" in value:
            problems.append(Problem(f"#/{field}", rules.HAS_NUL))
        elif not value.isascii() and not is_unicode(value):
            problems.append(Problem(f"#/{field}", rules.HAS_SURROGATES))
        elif value is data and len(data) * 4 > MAX_DATA_BYTES and len(data.encode()) > MAX_DATA_BYTES:
            problems.append(Problem("#/data", rules.DATA_TOO_LONG))


def is_unicode(value: str) -> bool:
    """Whether no lone surrogate is in it: such a text is none in UTF-8, nor for MongoDB."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(timestamp: str, problems: list[Problem]) -> datetime | None:
    moment = moment_of(timestamp)
    if moment is None:
        problems.append(Problem("#/timestamp", rules.NOT_A_MOMENT))
        return None
    return _whole_milliseconds(moment)


def _whole_milliseconds(moment: datetime) -> datetime:
    """MongoDB keeps milliseconds, so finer digits are cut here, where everybody can see it."""
    finer = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - finer) if finer else moment


def _check_ids(draft: Draft, problems: list[Problem]) -> None:
    if draft.id and not is_safe_id(draft.id):
        problems.append(Problem("#/id", rules.NOT_AN_ID))
    if draft.request_id and not is_safe_id(draft.request_id):
        problems.append(Problem("#/request_id", rules.NOT_AN_ID))
    if draft.trace_id and not is_trace_id(draft.trace_id):
        problems.append(Problem("#/trace_id", rules.NOT_A_TRACE_ID))
    if draft.span_id and not is_span_id(draft.span_id):
        problems.append(Problem("#/span_id", rules.NOT_A_SPAN_ID))


def _fields(draft: Draft, problems: list[Problem]) -> Fields | None:
    try:
        if draft.fields_json:
            return fields_from_json(draft.fields_json) or None
        check_fields(draft.fields)
    except FieldsError as error:
        problems.append(Problem("#/fields", str(error)))
    return draft.fields
