"""What the HTTP edge takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from common.errors import InvalidError, Problem
from common.web.reading import Body, validate
from logger.domain import Draft, accept, arrival

_STRING = {str}
# For entries that are only judged and never kept.
_NEVER = arrival("http", datetime.min.replace(tzinfo=UTC))


def _object(value: object) -> object:
    if value is not None and not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


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
    category: str = ""
    # null is what a Go program sends for a map that it did not make
    fields: Annotated[dict[str, Any] | None, BeforeValidator(_object)] = None

    def draft(self) -> Draft:
        return Draft(**self.model_dump())


def read_draft(value: object) -> Draft:
    """The draft in a JSON value. Raises InvalidError that names every broken rule when a member has the wrong type."""
    if not isinstance(value, dict):
        return validate(LogBody, value).draft()
    get: Callable[..., Any] = value.get
    name, data, record_id, level = get("name"), get("data"), get("id", ""), get("level", "")
    service, request_id, trace_id = get("service", ""), get("request_id", ""), get("trace_id", "")
    timestamp, span_id, category = get("timestamp", ""), get("span_id", ""), get("category", "")
    fields = get("fields", {})
    texts = (name, data, record_id, level, service, request_id, trace_id, timestamp, span_id, category)
    # the model costs several times as much, and is asked only when it has something to complain about
    if set(map(type, texts)) != _STRING or type(fields) is not dict:
        return _typed(value)
    return Draft(
        name, data, record_id, level, service, "", request_id, trace_id, timestamp, span_id, fields, "", category
    )


def _typed(value: dict[str, Any]) -> Draft:
    try:
        return validate(LogBody, value).draft()
    except InvalidError as error:
        raise InvalidError(error.message, problems=[*error.problems, *_others(value, error.problems)]) from None


def _others(value: dict[str, Any], found: Sequence[Problem]) -> Sequence[Problem]:
    """The rules that the members of the right type break."""
    wrong = {problem.pointer for problem in found}
    right = {name: value[name] for name in LogBody.model_fields if name in value and f"#/{name}" not in wrong}
    try:
        accept(Draft(**{"name": "-", "data": "", **right}), _NEVER)
    except InvalidError as error:
        return error.problems
    return ()


def read_drafts(values: Iterable[Any]) -> list[Draft | InvalidError]:
    """One for each value, in order; an InvalidError among the values stays what it is."""
    drafts: list[Draft | InvalidError] = []
    for value in values:
        try:
            drafts.append(value if isinstance(value, InvalidError) else read_draft(value))
        except InvalidError as error:
            drafts.append(error)
    return drafts
