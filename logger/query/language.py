"""What people and programs write to ask for entries, and the filter it means: one language for every door (docs/search.md). No I/O.

`parse` reads a query's text, `filter_of` the parameters of the API, and `render` writes a filter as text again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from common.errors import InvalidError, Problem
from logger.query.filters import DATA, FIELDS, MAX_CONDITIONS, MAX_VALUES, Condition, Filter, Scalar, at_least
from logger.query.text import MAX_QUERY_CHARACTERS, TIMES, QueryError, parse, pointed
from logger.query.values import (
    ValueFault,
    check_path,
    distinct,
    either,
    json_scalar,
    plain_text,
    shown,
    spelled,
    storable,
    suggestion,
    text_value,
    time_of,
)

__all__ = ["MAX_QUERY_CHARACTERS", "MEMBERS", "QueryError", "filter_of", "parse", "pointed", "render"]

# The members that hold texts, in the order of the conditions they become.
_TEXTS: Final = {
    "name": "name",
    "level": "level",
    "level_is": "level",
    "service": "service",
    "protocol": "protocol",
    "request_id": "request_id",
    "trace_id": "trace_id",
    "span_id": "span_id",
    "category": "category",
    "id": "id",
    "words": DATA,
}
_NESTED = (*_TEXTS, "fields")
MEMBERS = ("q", *TIMES, *_NESTED, "not")
# More are not listed: nobody reads them, and each costs time.
_MAX_PROBLEMS = 20

_Meaning = Callable[[str], tuple[Scalar, ...]]

_SAFE = re.compile(r"\w[\w./@+:-]*")
_SAFE_WORD = re.compile(r"\w[\w./@+-]*")
_SAFE_KEY = re.compile(r"[\w@/+-]+")


def filter_of(values: Mapping[str, object], *, now: datetime) -> Filter:
    """The filter in the API's parameters, MEMBERS and `fields.<path>`; all that are given must hold, a list holds if any member does.

    A value is a text or a list of texts, as from a query string, where those of `fields.<path>` also mean the number or boolean they
    spell; or a JSON value, and `fields` an object of paths whose values mean just what they are. `now` is aware.
    Raises InvalidError that names every broken rule, QueryError when only `q` breaks one.
    """
    reading = _Parameters(now)
    reading.top(values)
    return reading.filter()


class _Parameters:
    """Parameters on their way to a filter; faults are collected, not raised."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._asked = Filter()
        self._times: dict[str, datetime] = {}
        self._conditions: list[Condition] = []
        self._problems: list[Problem] = []
        self._error: QueryError | None = None

    def filter(self) -> Filter:
        since = max((each for each in (self._asked.since, self._times.get("since")) if each), default=None)
        until = min((each for each in (self._asked.until, self._times.get("until")) if each), default=None)
        if since and until and since >= until and not self._problems:
            self._fault(f"#/{'until' if 'until' in self._times else 'since'}", "until must be later than since")
        conditions = (*self._asked.conditions, *self._conditions)
        if len(conditions) > MAX_CONDITIONS:
            self._fault("#", f"must not have more than {MAX_CONDITIONS} conditions")
        if self._error and len(self._problems) == 1:
            raise self._error
        if self._problems:
            first = self._problems[0]
            where = first.pointer.removeprefix("#").removeprefix("/").replace("/", ".")
            raise InvalidError(f"{where}: {first.detail}" if where else first.detail, problems=self._problems)
        return Filter(since, until, conditions)

    def top(self, values: Mapping[str, object]) -> None:
        self._refuse_unknown(values, "#", MEMBERS)
        if "q" in values:
            self._query(values["q"])
        for name in TIMES:
            if name in values:
                self._guarded(f"#/{name}", self._time, name, values[name])
        self._members(values, "#", negated=False)
        fields = {key.removeprefix(FIELDS): value for key, value in values.items() if key.startswith(FIELDS)}
        self._fields(f"#/{FIELDS}", fields, either, negated=False)
        if "not" in values:
            self._object("#/not", values["not"], self._denied)

    def _refuse_unknown(self, values: Mapping[str, object], under: str, known: tuple[str, ...]) -> None:
        unknown = (key for key in values if key not in known and not (under == "#" and key.startswith(FIELDS)))
        for key in islice(unknown, _MAX_PROBLEMS):
            self._fault(f"{under}/{_escaped(key)}", f"is not known{suggestion(key, known)}")

    def _query(self, value: object) -> None:
        if not isinstance(value, str):
            self._fault("#/q", "must be one text")
            return
        try:
            self._asked = parse(value, now=self._now)
        except QueryError as error:
            self._error = error
            self._problems += error.problems

    def _time(self, name: str, value: object) -> None:
        if not isinstance(value, str):
            raise ValueFault("must be one text")
        self._times[name] = time_of(value, self._now)

    def _denied(self, values: Mapping[str, object]) -> None:
        self._refuse_unknown(values, "#/not", _NESTED)
        self._members(values, "#/not", negated=True)

    def _members(self, values: Mapping[str, object], under: str, *, negated: bool) -> None:
        for name, field in _TEXTS.items():
            if name in values:
                texts = self._texts(f"{under}/{name}", name, field, values[name])
                self._add(f"{under}/{name}", field, texts, negated=negated)
        if "fields" in values:
            pointer = f"{under}/fields"
            self._object(
                pointer, values["fields"], lambda fields: self._fields(f"{pointer}/", fields, _exact, negated=negated)
            )

    def _texts(self, pointer: str, name: str, field: str, value: object) -> list[Scalar]:
        if name == "level" and not isinstance(value, str):
            self._fault(pointer, "must be one text; level_is takes a list")
            return []
        texts: list[Scalar] = []
        for where, member in self._listed(pointer, value):
            if isinstance(member, str):
                self._guarded(where, lambda text: texts.append(text_value(field, text)), member)
            else:
                self._fault(where, f"must be a text{'' if where != pointer else ' or a list of texts'}")
        return [*at_least(str(texts[0]))] if name == "level" and texts else texts

    def _fields(self, under: str, fields: Mapping[str, object], meaning: _Meaning, *, negated: bool) -> None:
        if len(fields) > MAX_CONDITIONS:
            self._fault(under.rstrip("/."), f"must not have more than {MAX_CONDITIONS} paths")
            return
        for path in sorted(fields):
            self._field(under + _escaped(path), path, fields[path], meaning, negated=negated)

    def _field(self, pointer: str, path: str, value: object, meaning: _Meaning, *, negated: bool) -> None:
        if not self._guarded(pointer, check_path, path):
            return
        scalars: list[Scalar] = []
        for where, member in self._listed(pointer, value):
            self._guarded(where, lambda each: scalars.extend(_scalars(each, meaning)), member)
        self._add(pointer, FIELDS + path, scalars, negated=negated)

    def _listed(self, pointer: str, value: object) -> Iterable[tuple[str, object]]:
        """Each value with its pointer; none after a fault of the list itself."""
        if not isinstance(value, list):
            return [(pointer, value)]
        if not 0 < len(value) <= MAX_VALUES:
            self._fault(pointer, f"must be a list of 1 to {MAX_VALUES} values")
            return []
        return [(f"{pointer}/{index}", member) for index, member in enumerate(value)]

    def _object(self, pointer: str, value: object, read: Callable[[Mapping[str, object]], None]) -> None:
        if isinstance(value, Mapping):
            read(value)
        else:
            self._fault(pointer, "must be an object")

    def _add(self, pointer: str, field: str, values: list[Scalar], *, negated: bool) -> None:
        if values:
            self._guarded(pointer, lambda: self._conditions.append(Condition(field, distinct(values), negated)))

    def _guarded(self, pointer: str, act: Callable[..., object], *arguments: object) -> bool:
        try:
            act(*arguments)
        except ValueFault as fault:
            self._fault(pointer, str(fault))
            return False
        return True

    def _fault(self, pointer: str, detail: str) -> None:
        if len(self._problems) < _MAX_PROBLEMS:
            self._problems.append(Problem(pointer, detail))


def _exact(text: str) -> tuple[Scalar, ...]:
    return (text,)


def _scalars(value: object, meaning: _Meaning) -> tuple[Scalar, ...]:
    if isinstance(value, str):
        return meaning(plain_text(value))
    if value is None or isinstance(value, bool):
        return (value,)
    if isinstance(value, int | float):
        number = storable(value)
        if math.isfinite(number):
            return (number,)
        raise ValueFault("must be a finite number")
    raise ValueFault("must be a text, a number, true, false, null, or a list of these; a path is written with dots")


def _escaped(key: str) -> str:
    """RFC 6901, section 3; what somebody sent as a name is not repeated at full length."""
    return shown(key).replace("~", "~0").replace("/", "~1")


def render(wanted: Filter) -> str:
    """The text of a filter that `parse` or `filter_of` made, with absolute times; the same text for the same filter.

    `parse` reads it as the same filter again, unless it is longer than MAX_QUERY_CHARACTERS, which parameters of the API may be.
    """
    terms = [f"{name}:{_timestamp(moment)}" for name, moment in zip(TIMES, wanted[:2], strict=True) if moment]
    return " ".join([*terms, *map(_term, wanted.conditions)])


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _term(condition: Condition) -> str:
    return f"{'-' if condition.negated else ''}{_affirmed(condition)}"


def _affirmed(condition: Condition) -> str:
    field, values = condition.field, condition.values
    if field == DATA:
        return ",".join(_written(str(value), _SAFE_WORD) for value in values)
    if field.startswith(FIELDS):
        path = ".".join(_written(key, _SAFE_KEY) for key in field.removeprefix(FIELDS).split("."))
        return FIELDS + path + (_loosely(values) or "=" + ",".join(map(_exactly, values)))
    if field == "level":
        levels = [str(value) for value in values]
        above = len(levels) > 1 and levels == list(at_least(levels[0]))
        return f"level:{levels[0].lower()}" if above else f"level={','.join(levels).lower()}"
    return f"{field}:{','.join(_written(str(value), _SAFE) for value in values)}"


def _loosely(values: tuple[Scalar, ...]) -> str | None:
    """The values behind a colon, where a bare number or boolean also means its text; None when they cannot be written so."""
    written = []
    rest = list(values)
    while rest:
        value = rest.pop(0)
        if isinstance(value, str) or value is None:
            written.append(_exactly(value))
        elif rest and rest[0] == spelled(value):
            written.append(str(rest.pop(0)))
        else:
            return None
    return ":" + ",".join(written)


def _exactly(value: Scalar) -> str:
    if not isinstance(value, str):
        return spelled(value)
    return _quoted(value) if not isinstance(json_scalar(value), str) else _written(value, _SAFE)


def _written(text: str, safe: re.Pattern[str]) -> str:
    return text if safe.fullmatch(text) and text not in {"OR", "AND", "NOT"} else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
