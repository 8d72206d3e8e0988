"""What the values of a filter may be, however they were written. No I/O."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from common.ids import is_safe_id
from logger.query.filters import MAX_VALUE_CHARACTERS, MAX_VALUES, Scalar
from protos.limits import AUDIT, LEVELS, MAX_FIELDS_DEPTH, MAX_KEY_CHARACTERS, PROTOCOLS
from protos.rules import is_span_id, is_trace_id, level_of, moment_of

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 8259, section 6.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# MongoDB refuses a pattern with NUL in it, and nothing can encode half of a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Longer names are no slips of the finger, and comparing them costs the square of their length.
_LONGEST_SLIP = 40


class ValueFault(ValueError):  # noqa: N818 - an input's fault, told to its writer; never an error of the program
    """The text says which rule a value breaks."""


def time_of(text: str, now: datetime) -> datetime:
    """The time in UTC that `2h` (before `now`), `2026-11-21` or an RFC 3339 time names. Raises ValueFault.

    Rounded up to whole milliseconds: entries have no finer times, so that the same ones are at or after it.
    """
    with suppress(ValueError, OverflowError):
        found = _named_time(text, now)
        if found is not None:
            return found + timedelta(microseconds=-found.microsecond % 1000)
    raise ValueFault("must be a time such as 2h (s m h d w), 2026-11-21, or 2026-11-21T10:00:00Z with Z or an offset")


def _named_time(text: str, now: datetime) -> datetime | None:
    if ago := _AGO.fullmatch(text):
        return now.astimezone(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    if _DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return moment_of(text)


def text_value(field: str, text: str) -> str:
    """`text` in its one spelling as a value of a text field or of the text searched. Raises ValueFault."""
    if not text:
        raise ValueFault("must not be empty")
    plain_text(text)
    if field == "level":
        return _level(text)
    if field == "protocol":
        return _protocol(text)
    if field == "trace_id" and not is_trace_id(text):
        raise ValueFault("must be 32 hexadecimal digits in lower case")
    if field == "span_id" and not is_span_id(text):
        raise ValueFault("must be 16 hexadecimal digits in lower case")
    if field == "category" and text != AUDIT:
        raise ValueFault(f"must be {AUDIT}")
    if field in {"id", "request_id"} and not is_safe_id(text):
        raise ValueFault("must be 1 to 128 letters, digits, dots, colons, hyphens or underscores")
    return text


def _level(text: str) -> str:
    level = level_of(text)
    if level is None:
        raise ValueFault(f"must be one of {', '.join(LEVELS)}")
    return level


def _protocol(text: str) -> str:
    if text.lower() not in PROTOCOLS:
        raise ValueFault(f"must be one of {', '.join(PROTOCOLS)}")
    return text.lower()


def plain_text(text: str) -> str:
    """`text`, if an entry may hold it and it is not too long. Raises ValueFault."""
    if len(text) > MAX_VALUE_CHARACTERS:
        raise ValueFault(f"must not be longer than {MAX_VALUE_CHARACTERS:,} characters")
    if UNSTORABLE.search(text):
        raise ValueFault("must not contain NUL characters or lone surrogates")
    return text


def check_path(path: str) -> None:
    """Raises ValueFault unless `fields` of an entry may have something at the path, whose keys are separated by dots."""
    keys = path.split(".")
    if len(keys) > MAX_FIELDS_DEPTH:
        raise ValueFault(f"must not be more than {MAX_FIELDS_DEPTH} keys deep")
    for key in keys:
        if not 0 < len(key) <= MAX_KEY_CHARACTERS:
            raise ValueFault(f"must have keys of 1 to {MAX_KEY_CHARACTERS} characters, separated by dots")
        if key[0] == "$" or UNSTORABLE.search(key):
            raise ValueFault("must not have keys that start with $ or contain NUL characters or lone surrogates")


def json_scalar(text: str) -> Scalar:
    """The number, true, false or null that `text` spells in JSON; else `text` itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    found = storable(float(text) if number[1] or number[2] else int(text))
    return found if math.isfinite(found) else text


def storable(number: float) -> float:
    """`number` as MongoDB compares it: an integer of more than 64 bits, which no entry may hold, as a double. Infinite when it is too large for one."""
    if isinstance(number, int) and not _SMALLEST <= number <= _LARGEST:
        try:
            return float(number)
        except OverflowError:
            return math.inf
    return number


def either(text: str) -> tuple[Scalar, ...]:
    """What bare `text` means in `fields`, where its writer may not know the type: a number or a boolean, and the same as text."""
    scalar = json_scalar(text)
    return (text,) if isinstance(scalar, str) else (None,) if scalar is None else (scalar, text)


def spelled(value: Scalar) -> str:
    """The text that `json_scalar` reads as `value`."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def distinct(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """Each value once, in order. Raises ValueFault when there are too many."""
    kept: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        # in JSON true is not 1, though in Python it is
        kept.setdefault((isinstance(value, bool), value), value)
    if len(kept) > MAX_VALUES:
        raise ValueFault(f"must not be more than {MAX_VALUES} values; a number that may also be a text counts twice")
    return tuple(kept.values())


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean "level"?` when `name` is nearly that; "" when it is near to nothing known."""
    near = difflib.get_close_matches(name.lower(), known, n=1) if len(name) <= _LONGEST_SLIP else []
    return f'; did you mean "{near[0]}"?' if near else ""


def shown(name: str) -> str:
    """A name from outside as a message may show it: not endless."""
    return name if len(name) <= _LONGEST_SLIP else name[: _LONGEST_SLIP - 3] + "..."
