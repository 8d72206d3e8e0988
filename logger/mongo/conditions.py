"""A filter as a query of MongoDB. What a reader gave stands only where values stand: as a scalar under $in or $nin, or escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from bson import ObjectId
from bson.regex import Regex

from common.mongo import Document
from logger.domain import is_unicode
from logger.mongo.documents import key_of
from logger.mongo.windows import BEGINNING, END, Window
from logger.query.filters import DATA, FIELDS, Condition, Filter, Scalar

# Letters, digits and the underscore in PCRE, as \w is in Python.
_WORD_CHARACTER = r"[\p{L}\p{N}_]"
# Python holds the two Turkish letters for an i in any case, PCRE does not.
_ALIKE = frozenset("iI\u0130\u0131")
_ANY_I = "(?:i|\u0130|\u0131)"
_MOST_PARTS = 100  # BSON is nested no deeper
_LARGEST = 2**63

_ANY: Document = {}
_NONE: Document = {"_id": {"$in": []}}


def query_of(wanted: Filter) -> Document:
    """The conditions, without the range of time."""
    parts = [part for each in wanted.conditions if (part := _condition(each))]
    return {"$and": parts} if parts else {}


def created_within(window: Window) -> Document:
    """An entry without a time is created at the BEGINNING; nothing is later than the END."""
    since, until = window
    if until < END:
        # `not $gte` holds for what is no time at all, `$lt` does not
        upper: Document = {"$lt": until} if since > BEGINNING else {"$not": {"$gte": until}}
    else:
        upper = {}
    lower = {"$gte": since} if since > BEGINNING else {}
    bounds = lower | upper
    return {"created_at": bounds} if bounds else {}


def _condition(condition: Condition) -> Document:
    field, values, negated = condition
    if field == DATA:
        return _text_with(values, negated=negated)
    if field.startswith(FIELDS):
        return _at_path(field, values, negated=negated)
    if field == "id":
        return _among("_id", _keys(values), negated=negated)
    known: list[Any] = [value for value in _storable(values) if isinstance(value, str)]
    # what the documents of the Go original lack reads as INFO and as ""
    if field == "level":
        known = [value for value in known if value] + (["", None] if "INFO" in known else [])
    elif "" in known:
        known.append(None)
    return _among(field, known, negated=negated)


def _among(field: str, values: list[Any], *, negated: bool) -> Document:
    if not values:
        return _ANY if negated else _NONE
    return {field: {"$nin" if negated else "$in": values}}


def _keys(values: Iterable[Scalar]) -> list[ObjectId]:
    return [key_of(str(value)) for value in _storable(values)]


def _text_with(values: Iterable[Scalar], *, negated: bool) -> Document:
    phrases = [str(value) for value in _storable(values)]
    if "" in phrases:
        # it is in every text, also where there is none
        return _NONE if negated else _ANY
    return _among(DATA, [_pattern(phrase) for phrase in phrases], negated=negated)


def _pattern(phrase: str) -> Regex[str]:
    """What `filters.phrase_pattern` finds. Only literal characters come from the reader, so no pattern takes long.

    For letters that Unicode did not have in 2014, MongoDB 6 sees the end of a word where Python does not.
    """
    before = f"(?<!{_WORD_CHARACTER})" if re.match(r"\w", phrase) else ""
    after = f"(?!{_WORD_CHARACTER})" if re.search(r"\w\Z", phrase) else ""
    return Regex(before + "".join(map(_in_any_case, phrase)) + after, "i")


def _in_any_case(character: str) -> str:
    if character in _ALIKE:
        return _ANY_I
    if character.isascii():
        # a pattern ends at a NUL, unless it is written as this
        return re.escape(character) if character != "\x00" else r"\x00"
    # both cases by themselves, since PCRE does not know those of younger letters
    forms = {form for form in (character, character.lower(), character.upper()) if len(form) == 1}
    return f"(?:{'|'.join(sorted(forms))})" if len(forms) > 1 else character


def _at_path(path: str, values: tuple[Scalar, ...], *, negated: bool) -> Document:
    known = _storable(values)
    alternatives: list[Document] = []
    if not _is_possible(path):
        alternatives += [_ANY] if None in known else []
    else:
        if scalars := [value for value in known if value is not None]:
            alternatives.append({path: {"$in": scalars}})
        if None in known:
            alternatives += [{path: {"$exists": False}}, {path: {"$type": "null"}}]
    if not alternatives:
        return _ANY if negated else _NONE
    return {"$nor" if negated else "$or": alternatives}


def _is_possible(path: str) -> bool:
    """Whether an entry could have something there; the database would give another meaning to such paths, or refuse them."""
    parts = path.split(".")
    return len(parts) <= _MOST_PARTS and all(
        part and not part.startswith("$") and "\x00" not in part and is_unicode(part) for part in parts
    )


def _storable(values: Iterable[Scalar]) -> list[Scalar]:
    """Without the values that BSON cannot hold, which therefore no entry has."""
    kept: list[Scalar] = []
    for value in values:
        if isinstance(value, str):
            if is_unicode(value):
                kept.append(value)
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            # a number of that size is stored as a double, if it is one
            if abs(value) < 2**1000 and float(value) == value:
                kept.append(float(value))
        elif not (isinstance(value, float) and math.isnan(value)):
            kept.append(value)
    return kept
