"""What a reader asks the log store for: values and what they mean, the same for every door and every store. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from common.ids import object_id_hex
from logger.domain import LogEntry
from protos.limits import LEVELS

Scalar = str | int | float | bool | None

# What a condition may be about, besides `data` (words in the text) and `fields.<path>` (one value in the structured data).
TEXT_FIELDS = ("id", "name", "level", "service", "protocol", "request_id", "trace_id", "span_id", "category")
DATA = "data"
FIELDS = "fields."

MAX_CONDITIONS = 32
MAX_VALUES = 100
MAX_VALUE_CHARACTERS = 1_000

# Letters, digits (Unicode's categories L and N) and the underscore, in Python as in PCRE's [\p{L}\p{N}_].
_WORD = re.compile(r"\w+")
# Of a member of a list, counted from 0.
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


class Condition(NamedTuple):
    """Holds when `field` has one of `values`; when `negated`, if it has none of them.

    For `data` a value is a word or a phrase: it is there when the text contains it in any case, not in the middle of a word. For
    `fields.<path>` a value is a JSON scalar, and a list holds each of its members; null is what is null or not there.
    """

    field: str
    values: tuple[Scalar, ...]
    negated: bool = False

    def holds(self, entry: LogEntry) -> bool:
        return self._any(entry) is not self.negated

    def _any(self, entry: LogEntry) -> bool:
        if self.field == DATA:
            return any(phrase_pattern(str(value)).search(entry.data) for value in self.values)
        if self.field.startswith(FIELDS):
            found = list(_at(entry.fields or {}, self.field.removeprefix(FIELDS).split(".")))
            return any(_is_among(value, found) for value in self.values)
        if self.field == "id":
            return object_id_hex(entry.id) in {object_id_hex(str(value)) for value in self.values}
        return getattr(entry, self.field) in self.values


class Filter(NamedTuple):
    """All conditions hold, and the entry was created at `since` or later and before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    conditions: tuple[Condition, ...] = ()

    def matches(self, entry: LogEntry) -> bool:
        if self.since is not None and entry.created_at < self.since:
            return False
        if self.until is not None and entry.created_at >= self.until:
            return False
        return all(condition.holds(entry) for condition in self.conditions)

    def values_of(self, field: str) -> tuple[Scalar, ...]:
        """The values of the first condition that says what `field` is; () when none does."""
        return next((each.values for each in self.conditions if each.field == field and not each.negated), ())


def at_least(level: str) -> tuple[str, ...]:
    """The level and all above it."""
    return LEVELS[LEVELS.index(level) :]


def folded_words(text: str) -> set[str]:
    """The words of `text`, alike for texts that differ in case only: what a search may rely on to rule an entry out."""
    if text.isascii():
        return set(_WORD.findall(text.lower()))
    # beyond what Unicode folds, regular expressions hold the two Turkish letters for an i
    return set(_WORD.findall(text.replace("\u0130", "i").replace("\u0131", "i").casefold()))


def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """`phrase` as it stands, in any case, not as a part of a longer word."""
    before = r"(?<!\w)" if re.match(r"\w", phrase) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", phrase) else ""
    return re.compile(before + re.escape(phrase) + after, re.IGNORECASE)


def _at(container: Any, path: list[str]) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """What is at the path; through a list, at the path in each of its members, or in the one that a number names. Nothing when it is not there."""
    if not path:
        yield container
        if isinstance(container, list):
            yield from container
    elif isinstance(container, list):
        if _INDEX.fullmatch(path[0]) and int(path[0]) < len(container):
            yield from _at(container[int(path[0])], path[1:])
        for member in container:
            if isinstance(member, dict):
                yield from _at(member, path)
    elif isinstance(container, dict) and path[0] in container:
        yield from _at(container[path[0]], path[1:])


def _is_among(value: Scalar, found: Iterable[Any]) -> bool:
    found = list(found)
    if value is None:
        return not found or any(each is None for each in found)
    # in JSON true is not 1, though in Python it is
    return any(each == value and isinstance(each, bool) is isinstance(value, bool) for each in found)
