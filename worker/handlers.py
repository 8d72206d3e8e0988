"""From a message to a log entry, or to the reason why it never can be one. Pure functions.

The Go listener drops events named "auth". Here every event is stored: what was acknowledged is never lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import orjson

from common import context
from common.ids import is_safe_id, new_record_id
from protos import rules
from protos.limits import AUDIT, MAX_DATA_BYTES, MAX_NAME_CHARACTERS, MAX_SERVICE_CHARACTERS
from protos.rules import FieldsError, check_fields, is_span_id, is_trace_id, level_of, moment_of
from worker.domain import Accepted, Delivery, Entry, Rejected

_KEY_PREFIX = "log."


class PoisonError(ValueError):
    """The message will be as unusable next time; the text is the reason kept with it."""


def sort(deliveries: Iterable[Delivery]) -> tuple[list[Accepted], list[Rejected]]:
    accepted: list[Accepted] = []
    rejected: list[Rejected] = []
    for delivery in deliveries:
        try:
            accepted.append(Accepted(delivery, read(delivery)))
        except PoisonError as error:
            rejected.append(Rejected(delivery, str(error)))
        except Exception as error:  # noqa: BLE001 - one strange message must not hold up the others for ever
            rejected.append(Rejected(delivery, f"could not be handled: {type(error).__name__}"))
    return accepted, rejected


def read(delivery: Delivery) -> Entry:
    """Raises PoisonError. `name`, `data`, `id`, `fields` and `category` are judged; whatever else is unusable falls back to the message's properties."""
    body = _object(delivery.body)
    name = _text(body, "name")
    data = _text(body, "data")
    if not name:
        raise PoisonError(f"name {rules.EMPTY}")
    if len(name) > MAX_NAME_CHARACTERS:
        raise PoisonError(f"name {rules.NAME_TOO_LONG}")
    caller = context.from_headers(delivery.headers)
    request_id, trace_id, span_id = body.get("request_id"), body.get("trace_id"), body.get("span_id")
    return Entry(
        id=_id(body, delivery.properties),
        name=name,
        data=data,
        level=_level(body.get("level"), delivery.routing_key),
        service=_service(body.get("service"), delivery.properties),
        request_id=request_id if isinstance(request_id, str) and is_safe_id(request_id) else caller.request_id,
        trace_id=trace_id if isinstance(trace_id, str) and is_trace_id(trace_id) else caller.trace_id,
        span_id=span_id if isinstance(span_id, str) and is_span_id(span_id) else "",
        timestamp=_timestamp(body.get("timestamp"), delivery.properties),
        fields=_fields(body.get("fields")),
        category=_category(body.get("category")),
    )


def _object(raw: bytes) -> dict[str, object]:
    if len(raw) > MAX_DATA_BYTES:
        raise PoisonError("body is larger than 1 MiB")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # It also refuses lone surrogates and bytes that are not UTF-8.
        raise PoisonError("body is not valid JSON") from None
    if not isinstance(body, dict):
        raise PoisonError("body is not a JSON object")
    return body


def _text(body: Mapping[str, object], field: str) -> str:
    value = body.get(field)
    if value is None:
        raise PoisonError(f"{field} {rules.MISSING}")
    if not isinstance(value, str):
        raise PoisonError(f"{field} {rules.NOT_TEXT}")
    if "\x00" in value:
        raise PoisonError(f"{field} {rules.HAS_NUL}")
    return value


def _id(body: Mapping[str, object], properties: Mapping[str, object]) -> str:
    """The writer's own id in the body, else AMQP's message-id, else a new one.

    Only a writer that gives an id gets its event stored exactly once. A Go publisher gives none, and its redelivered message cannot be
    told from a second event of the same words, so after a crash between store and acknowledgement such an event may be stored twice.
    """
    given = body.get("id")
    if given is not None and given != "":
        if not isinstance(given, str) or not is_safe_id(given):
            raise PoisonError(f"id {rules.NOT_AN_ID}")
        return given
    message_id = properties.get("message_id")
    if not isinstance(message_id, str) or not message_id:
        return new_record_id()
    # AMQP allows any text here; its hash is the same on every redelivery and fits where an id is printed.
    return message_id if is_safe_id(message_id) else hashlib.sha256(message_id.encode(errors="replace")).hexdigest()


def _level(given: object, routing_key: str) -> str:
    for value in (given, routing_key.removeprefix(_KEY_PREFIX)):
        if isinstance(value, str) and value and (level := level_of(value)):
            return level
    return "INFO"


def _service(given: object, properties: Mapping[str, object]) -> str:
    for value in (given, properties.get("app_id")):
        if isinstance(value, str) and value and len(value) <= MAX_SERVICE_CHARACTERS and "\x00" not in value:
            return value
    return ""


def _timestamp(given: object, properties: Mapping[str, object]) -> str:
    """RFC 3339; AMQP's timestamp property counts seconds since 1970."""
    if isinstance(given, str) and moment_of(given):
        return given
    seconds = properties.get("timestamp")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def _fields(given: object) -> str:
    """As JSON text. What cannot be kept is a reason to set the message aside: leaving it out would lose data without a word."""
    if not given and (given is None or given == {}):
        return ""
    try:
        check_fields(given)
    except FieldsError as error:
        raise PoisonError(f"fields {error}") from None
    return orjson.dumps(given).decode()


def _category(given: object) -> str:
    """As with fields: an entry that somebody wants kept for good must not become one that is not."""
    if given is None or given == "":
        return ""
    if given != AUDIT:
        raise PoisonError(f"category {rules.NOT_A_CATEGORY}")
    return AUDIT
