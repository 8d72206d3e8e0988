"""Rules for the parts of a log entry that every service which passes entries on applies alike. Pure functions.

The store has the last word; whoever judges earlier judges by these, so that nothing is accepted at one door and refused behind it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from protos.limits import (
    AUDIT,
    LEVEL_ALIASES,
    LEVELS,
    MAX_DATA_BYTES,
    MAX_FIELDS_BYTES,
    MAX_FIELDS_DEPTH,
    MAX_KEY_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_SERVICE_CHARACTERS,
)

# What a writer reads whose entry breaks a rule: the same words at every door, after the name of the member.
MISSING = "is missing"
NOT_TEXT = "must be a string"
EMPTY = "must not be empty"
HAS_NUL = "must not contain NUL characters"
HAS_SURROGATES = "must not contain lone surrogates"
NAME_TOO_LONG = f"must not be longer than {MAX_NAME_CHARACTERS} characters"
SERVICE_TOO_LONG = f"must not be longer than {MAX_SERVICE_CHARACTERS} characters"
DATA_TOO_LONG = f"must not be longer than {MAX_DATA_BYTES} bytes"
NOT_A_LEVEL = f"must be one of {', '.join(LEVELS)}"
NOT_AN_ID = "must be 1 to 128 letters, digits, dots, colons, hyphens or underscores"
NOT_A_TRACE_ID = "must be 32 hexadecimal digits in lower case, not all of them 0"
NOT_A_SPAN_ID = "must be 16 hexadecimal digits in lower case, not all of them 0"
NOT_A_CATEGORY = f"must be {AUDIT}, or be left out"
NUMBER_TOO_LARGE = "must not contain numbers below -2^63 or from 2^63 on, which 64 bits do not hold"
NOT_A_MOMENT = "must be an RFC 3339 time with a time zone"

_LEVELS = {**{level: level for level in LEVELS}, **LEVEL_ALIASES}
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# A JSON parser makes a double of an integer that is longer, and the last digits are gone: nobody can tell such a double from one that
# was meant as one.
_BEYOND = 2.0**63
# Up to here every integer is a double of its own.
_EXACT = 2**53


class FieldsError(ValueError):
    """The text says which rule `fields` breaks."""


def level_of(value: str) -> str | None:
    """The level that `value` names in any case or by an alias; INFO for "", None for an unknown name."""
    return _LEVELS.get(value) or _LEVELS.get(value.upper())


def is_trace_id(value: str) -> bool:
    """W3C Trace Context, section 3.2.2.3."""
    return _TRACE_ID.fullmatch(value) is not None


def is_span_id(value: str) -> bool:
    """W3C Trace Context, section 3.2.2.4, where it is called parent-id."""
    return _SPAN_ID.fullmatch(value) is not None


# Section 5.6; Python reads week dates and other forms of ISO 8601 as well, which no other reader of the entry need understand.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def moment_of(timestamp: str) -> datetime | None:
    """RFC 3339, section 5.6, in UTC; None for anything else, for a leap second, and next to the first or the last year, where UTC cannot follow."""
    if not _RFC3339.fullmatch(timestamp):
        return None
    try:
        return datetime.fromisoformat(timestamp.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def check_fields(fields: object) -> None:
    """Raises FieldsError unless `fields` is a JSON object that MongoDB can keep as it is."""
    if not isinstance(fields, dict):
        raise FieldsError("must be an object")
    _check(fields, MAX_FIELDS_DEPTH)
    try:
        size = len(orjson.dumps(fields))
    except TypeError:
        raise FieldsError(HAS_SURROGATES) from None
    if size > MAX_FIELDS_BYTES:
        raise FieldsError(f"must not be longer than {MAX_FIELDS_BYTES} bytes")


def fields_from_json(text: str) -> dict[str, object]:
    """`fields` from their JSON text, checked; {} for "". Raises FieldsError."""
    if not text:
        return {}
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FieldsError("must be JSON") from None
    check_fields(fields)
    return dict(fields)


def integers_again(value: object) -> object:
    """`value` from a protobuf Struct, which knows only doubles, with its whole numbers as integers."""
    if isinstance(value, float):
        return int(value) if -_EXACT <= value <= _EXACT and value.is_integer() else value
    if isinstance(value, list):
        return [integers_again(member) for member in value]
    if isinstance(value, Mapping):
        return {key: integers_again(member) for key, member in value.items()}
    return value


def _check(container: dict[str, object] | list[object], depth: int) -> None:
    if not depth:
        raise FieldsError(f"must not be nested more than {MAX_FIELDS_DEPTH} deep")
    if isinstance(container, dict):
        for key in container:
            _check_key(key)
    for member in container.values() if isinstance(container, dict) else container:
        if isinstance(member, str):
            if "\x00" in member:
                raise FieldsError(HAS_NUL)
        elif isinstance(member, dict | list):
            _check(member, depth - 1)
        elif member is not None:
            _check_number(member)


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise FieldsError(f"must have keys of 1 to {MAX_KEY_CHARACTERS} characters")
    if key[0] == "$" or "\x00" in key:
        raise FieldsError("must not have keys that start with $ or contain NUL characters")


def _check_number(value: object) -> None:
    """True and False pass as the integers that they are in Python."""
    if isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise FieldsError(NUMBER_TOO_LARGE)
    elif not isinstance(value, float):
        raise FieldsError("must hold JSON values only")
    elif not -_BEYOND < value < _BEYOND:
        raise FieldsError(NUMBER_TOO_LARGE if math.isfinite(value) else "must not contain numbers that are not finite")
