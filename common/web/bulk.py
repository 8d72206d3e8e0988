"""One item or many in one request, and an answer that tells what became of each.

Bodies are a JSON object (one item), a JSON array, or newline-delimited JSON (many). What an item must look like is the caller's business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from flask import Response, current_app, request

from common.errors import InvalidError, MalformedError, Problem, TooLargeError
from common.ids import derived_record_id
from common.outcomes import Outcome, Place, weakest
from common.web.reading import read_body, read_json_value

STORED_HEADER = "X-Log-Stored"
IDEMPOTENCY_HEADER = "Idempotency-Key"
NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# RFC 8941, section 3.3.3: a quoted string, in which only quotes and backslashes are escaped.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')


@dataclass(frozen=True, slots=True)
class Bulk:
    """`items` are parsed JSON values, fresh and the caller's own; an InvalidError stands for a line that is not JSON.

    `single`: the body was one object, and is answered as one.
    """

    items: list[Any]
    single: bool


def read_bulk(*, max_body: int, max_items: int) -> Bulk:
    """The items of the request. `max_body` (bytes) holds for this request alone, whatever the application's limit is.

    Raises MalformedError, UnsupportedMediaType, TooLargeError, or InvalidError for an array without items or what is no object.
    """
    if request.mimetype in NDJSON_TYPES:
        bulk = Bulk(_lines(read_body(max_body)), single=False)
    else:
        bulk = _from_json(read_json_value(max_body, types="application/json or application/x-ndjson"))
    if len(bulk.items) > max_items:
        raise TooLargeError(f"a request may carry {max_items} entries at most")
    return bulk


def _from_json(value: object) -> Bulk:
    if isinstance(value, dict):
        return Bulk([value], single=True)
    if not isinstance(value, list):
        raise InvalidError("body is invalid", problems=[Problem("#", "must be an object or an array of objects")])
    if not value:
        raise InvalidError("body is invalid", problems=[Problem("#", "must hold at least one entry")])
    return Bulk(value, single=False)


def _lines(body: bytes) -> list[Any]:
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    if not lines:
        raise MalformedError("body must not be empty")
    try:
        return list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return list(map(_line, lines))


def _line(line: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return InvalidError("line is not valid JSON", problems=[Problem("#", "is not valid JSON")])


def idempotency_key() -> str | None:
    """The request's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), quoted or bare; None without one.

    Raises MalformedError unless it is 1 to 255 printable ASCII characters.
    """
    # as WSGI names it: this is asked for every entry, and nearly none has one
    given: str | None = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    given = given.strip(" \t")
    if given.startswith('"'):
        quoted = _QUOTED.fullmatch(given)
        given = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else ""
    if not _KEY.fullmatch(given):
        raise MalformedError(f"{IDEMPOTENCY_HEADER} must be 1 to 255 printable ASCII characters")
    return given


def give_ids(items: Sequence[Any], key: str | None) -> None:
    """Sets the `id` of each object that has none, from the idempotency key, its place and its content; nothing without a key.

    The content is what the caller sent, in whatever order of its members, so that a retry of the same request gets the same ids.
    """
    if key is None:
        return
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get("id", "") == "":
            item["id"] = derived_record_id(key, index, orjson.dumps(item, option=orjson.OPT_SORT_KEYS))


def bulk_reply(results: Sequence[Outcome | InvalidError], *, single: bool) -> Response:
    """One result for each item, in order: 201 or 202 for a single one; 200, 202 or 207 (some refused) for many.

    Raises InvalidError when nothing was taken: a single item's own, or one with the faults of all.
    """
    if single:
        (result,) = results
        if isinstance(result, InvalidError):
            raise result
        return _single(result)
    taken = [result.outcome for result in results if isinstance(result, Outcome)]
    if not taken:
        raise _all_refused(results)
    counts: Counter[str] = Counter(taken)
    stored = weakest(set(taken))
    refused = len(results) - len(taken)
    if refused:
        counts["refused"] = refused
    status = 207 if refused else 200 if stored == "mongodb" else 202
    listed = [
        _refused(index, result) if isinstance(result, InvalidError) else {"outcome": result.outcome, "id": result.id}
        for index, result in enumerate(results)
    ]
    body = {"stored": stored, "counts": counts, "results": listed}
    return told_where(_json(body, status), stored)


def told_where(response: Response, stored: Place) -> Response:
    """`response` with the header that says where the entries are: in the store, or durable on their way to it."""
    response.headers[STORED_HEADER] = stored
    return response


def _single(outcome: Outcome) -> Response:
    stored = outcome.place
    body = {"id": outcome.id, "outcome": outcome.outcome, "stored": stored}
    response = _json(body, 201 if stored == "mongodb" else 202)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{quote(outcome.id)}"
    return told_where(response, stored)


def _all_refused(results: Sequence[Outcome | InvalidError]) -> InvalidError:
    problems = [
        problem
        for index, result in enumerate(results)
        if isinstance(result, InvalidError)
        for problem in _problems(index, result)
    ]
    return InvalidError("no entry is valid", problems=problems)


def _refused(index: int, error: InvalidError) -> dict[str, object]:
    errors = [{"pointer": problem.pointer, "detail": problem.detail} for problem in _problems(index, error)]
    return {"outcome": "refused", "reason": error.message, "errors": errors}


def _problems(index: int, error: InvalidError) -> list[Problem]:
    """The item's faults, pointed at from the top of the body; a line of newline-delimited JSON counts as a member of an array."""
    found = error.problems or (Problem("#", error.message),)
    return [Problem(f"#/{index}{problem.pointer.removeprefix('#')}", problem.detail) for problem in found]


def _json(body: object, status: int) -> Response:
    return current_app.response_class(orjson.dumps(body), status=status, content_type="application/json")
