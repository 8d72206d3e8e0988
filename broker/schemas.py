"""Requests at the gateway's edge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from broker.domain import LogOrder, Via
from common import context
from common.errors import AppError, InvalidError, Problem, TooLargeError, UnsupportedError
from common.ids import is_safe_id, new_record_id
from common.web.reading import MAX_BODY, Body, Text, no_nul, validate
from protos import rules
from protos.limits import AUDIT, MAX_DATA_BYTES, MAX_FIELDS_BYTES, MAX_NAME_CHARACTERS, MAX_SERVICE_CHARACTERS
from protos.rules import check_fields, is_span_id, is_trace_id, level_of, moment_of

# What a door adds to an entry (id, level, time, identity of the request) must still fit into the next message.
MAX_ENTRY = MAX_BODY - 4096
# JSON writes one character in six bytes at most, and fields as text inside of JSON in twice their own.
_SURELY_FITS = (MAX_ENTRY - 2 * MAX_FIELDS_BYTES) // 6 - MAX_NAME_CHARACTERS


class HandleBody(Body):
    """`POST /handle`. A client of the Go original sends every section, the unused ones empty: only the action's own is read."""

    action: str = ""
    auth: Any = None
    log: Any = None
    mail: Any = None


def _level(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = level_of(value)
    if name is None:
        raise ValueError(rules.NOT_A_LEVEL)
    return name


def _data(value: str) -> str:
    if len(value) * 4 > MAX_DATA_BYTES and len(value.encode()) > MAX_DATA_BYTES:
        raise ValueError(rules.DATA_TOO_LONG)
    return value


def _safe_id(value: str) -> str:
    if value and not is_safe_id(value):
        raise ValueError(rules.NOT_AN_ID)
    return value


def _trace_id(value: str) -> str:
    if value and not is_trace_id(value):
        raise ValueError(rules.NOT_A_TRACE_ID)
    return value


def _span_id(value: str) -> str:
    if value and not is_span_id(value):
        raise ValueError(rules.NOT_A_SPAN_ID)
    return value


def _category(value: str) -> str:
    if value and value != AUDIT:
        raise ValueError(rules.NOT_A_CATEGORY)
    return value


def _timestamp(value: str) -> str:
    if value and moment_of(value) is None:
        raise ValueError(rules.NOT_A_MOMENT)
    return value


def _fields(value: object) -> object:
    if value is not None:
        check_fields(value)
    return value


class LogPayload(Body):
    """`name` and `data` as in the Go original; `via` chooses the protocol of the seeds' paths, JSON-RPC unless told otherwise."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(no_nul)]
    data: Annotated[Text, AfterValidator(_data)]
    via: str = Via.RPC
    level: Annotated[str, BeforeValidator(_level)] = "INFO"
    id: Annotated[str, AfterValidator(_safe_id)] = ""
    service: Annotated[str, StringConstraints(max_length=MAX_SERVICE_CHARACTERS), AfterValidator(no_nul)] = ""
    request_id: Annotated[str, AfterValidator(_safe_id)] = ""
    trace_id: Annotated[str, AfterValidator(_trace_id)] = ""
    span_id: Annotated[str, AfterValidator(_span_id)] = ""
    timestamp: Annotated[str, AfterValidator(_timestamp)] = ""
    category: Annotated[str, AfterValidator(_category)] = ""
    fields: Annotated[Any, BeforeValidator(_fields)] = None

    def order(self, now: str) -> LogOrder:
        """`now` is the time of an entry that names none. Raises TooLargeError for what no message could carry on."""
        if len(self.data) > _SURELY_FITS and _size(self) > MAX_ENTRY:
            raise TooLargeError(f"log entry is larger than {MAX_ENTRY} bytes")
        bound = context.current() or context.continue_context(None, None)
        trace_id = self.trace_id or bound.trace_id
        return LogOrder(
            self.id or new_record_id(),
            self.name,
            self.data,
            self.level,
            self.service or "broker",
            self.timestamp or now,
            self.request_id or bound.request_id,
            trace_id,
            self.span_id,
            f"00-{trace_id}-{bound.span_id}-{bound.flags}",
            self.fields,
            self.category,
        )


def _size(payload: LogPayload) -> int:
    """In the protocol that needs most room, where fields are a text."""
    fields = orjson.dumps(payload.fields).decode() if payload.fields else ""
    return len(orjson.dumps([payload.name, payload.data, fields]))


def read_order(value: object, *, under: str, via: Via | None = None) -> tuple[LogOrder, Via]:
    """The entry in a JSON value at the JSON Pointer `under`, and the protocol it asks for unless `via` names one.

    Raises InvalidError, TooLargeError or UnsupportedError.
    """
    payload = validate(LogPayload, value, under=under)
    return payload.order(_now()), via or protocol(payload.via)


def read_orders(values: Iterable[Any]) -> list[LogOrder | InvalidError]:
    """One for each value, in order; an InvalidError among the values stays what it is."""
    now = _now()
    return [value if isinstance(value, InvalidError) else _order(value, now) for value in values]


def protocol(name: str) -> Via:
    """Raises UnsupportedError for a protocol that nobody speaks here."""
    try:
        return Via(name.lower())
    except ValueError:
        raise UnsupportedError(f"unknown via; choose one of {', '.join(Via)}") from None


def _order(value: object, now: str) -> LogOrder | InvalidError:
    try:
        return validate(LogPayload, value).order(now)
    except InvalidError as error:
        return error
    except AppError as error:
        return InvalidError(error.message, problems=[Problem("#", error.message)])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
