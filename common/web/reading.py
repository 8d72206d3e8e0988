"""Strict reading of request bodies: one JSON value, of the right type, every broken rule named at once."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeVar

import orjson
from flask import request
from gunicorn.http.errors import ParseException
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType

from common.errors import InvalidError, MalformedError, Problem, TooLargeError
from common.web.edge import ROOM_TAKEN
from common.web.room import bodies

MAX_BODY = 1024 * 1024


class Body(BaseModel):
    """Base of request models: types are not coerced, unknown fields are ignored as the Go original does."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


def no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


# Unicode's control characters (C0, DEL, C1) and its two line separators.
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(value: str) -> str:
    """`value`, if it can stand in one line or one header. Raises ValueError, which pydantic turns into a problem."""
    if _NOT_IN_A_LINE.search(value):
        raise ValueError("must not contain line breaks or control characters")
    return value


Text = Annotated[str, AfterValidator(no_nul)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(one_line)]

M = TypeVar("M", bound=BaseModel)

# What pydantic finds wrong, in the words that the rules of this system use; what is not here is told in its own.
_WORDS = {
    "missing": "is missing",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must not be longer than {max_length} characters",
}


class CodedBodyError(UnsupportedMediaType):
    """The body is compressed or otherwise coded, which is not read here; the answer says what is (RFC 9110, section 12.5.3)."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - werkzeug's signature
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "identity")]


def read_json_value(limit: int = MAX_BODY, *, types: str = "application/json") -> Any:  # noqa: ANN401 - any JSON value
    """The body as one JSON value.

    A missing Content-Type counts as JSON, since the Go original's own clients send none; another type is refused with 415, naming `types`.
    Raises UnsupportedMediaType or what `read_body` raises.
    """
    # nearly every request says just this, and taking it for what it is saves a tenth of the work on the request
    if request.environ.get("CONTENT_TYPE") != "application/json" and not _is_json(request.mimetype):
        raise UnsupportedMediaType(f"Content-Type must be {types}")
    body = read_body(limit)
    if not body.strip():
        raise MalformedError("body must not be empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if _has_second_value(body):
            raise MalformedError("body must have only a single JSON value") from error
        raise MalformedError(f"body is not valid JSON: {error}") from error


def _is_json(mimetype: str) -> bool:
    return not mimetype or mimetype == "application/json" or mimetype.endswith("+json")


def read_body(limit: int = MAX_BODY) -> bytes:
    """The body as it came.

    Raises MalformedError when it is cut short, TooLargeError above `limit` bytes, TooManyError, or CodedBodyError.
    """
    coding: str = request.environ.get("HTTP_CONTENT_ENCODING", "")
    if coding and coding.strip().lower() != "identity":
        raise CodedBodyError("Content-Encoding is not supported: send the body as it is")
    length = request.environ.get("CONTENT_LENGTH", "")
    if length.isascii() and length.isdigit() and int(length) <= limit:
        request.environ[ROOM_TAKEN] = bodies.take(int(length))
        return _whole(int(length))
    request.environ[ROOM_TAKEN] = bodies.take(limit)
    # for this request alone; one byte more, so that what werkzeug cuts off can be told from what fits
    request.max_content_length = limit + 1
    try:
        body = request.get_data(cache=False)
    except ParseException as error:
        raise MalformedError("body is not sent in proper chunks") from error
    except ClientDisconnected as error:
        raise MalformedError("body ended too early") from error
    except RequestEntityTooLarge as error:
        raise _too_large(limit) from error
    # a chunked body has no length to refuse it by, and werkzeug cuts it off at its limit without a word
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _whole(length: int) -> bytes:
    """Straight from the server, which gives up a client that stops sending; werkzeug's layers in between cost as much as the JSON."""
    try:
        body: bytes = request.environ["wsgi.input"].read(length)
    except (OSError, ValueError) as error:
        raise MalformedError("body ended too early") from error
    if len(body) < length:
        raise MalformedError("body is shorter than its Content-Length")
    return body


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"body is larger than {limit // 1024 // 1024} MiB")


def _has_second_value(body: bytes) -> bool:
    try:
        text = body.decode().lstrip()
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return bool(text[end:].strip())


def read_json(model: type[M]) -> M:
    """The body as `model`. Raises InvalidError with every problem, or what `read_json_value` raises."""
    return validate(model, read_json_value())


def validate(model: type[M], value: object, *, under: str = "#") -> M:
    """`value` as `model`; `under` is the JSON Pointer of `value` inside the body."""
    if not isinstance(value, dict):
        raise InvalidError("body is invalid", problems=[Problem(under, "must be an object")])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error, under=under) from None


def invalid(error: ValidationError, *, under: str = "#") -> InvalidError:
    """The first problem as the message, all of them as the list."""
    problems = [
        Problem("/".join([under, *map(_escaped, problem["loc"])]), _told(problem))
        for problem in error.errors(include_url=False, include_input=False)
    ]
    first = problems[0]
    return InvalidError(f"{first.pointer.removeprefix('#/').replace('/', '.')}: {first.detail}", problems=problems)


def _told(problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "string_too_short" and context["min_length"] == 1:
        return "must not be empty"
    if words := _WORDS.get(kind):
        return words.format(**context)
    return problem["msg"].removeprefix("Value error, ")


def _escaped(part: str | int) -> str:
    """RFC 6901, section 3."""
    return str(part).replace("~", "~0").replace("/", "~1")
