"""The query language as text: terms separated by white space, which must all hold (docs/search.md). No I/O."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Final, NamedTuple

from common.errors import InvalidError, Problem
from logger.query.filters import DATA, FIELDS, MAX_CONDITIONS, TEXT_FIELDS, Condition, Filter, Scalar, at_least
from logger.query.values import (
    UNSTORABLE,
    ValueFault,
    check_path,
    distinct,
    either,
    json_scalar,
    plain_text,
    shown,
    suggestion,
    text_value,
    time_of,
)

MAX_QUERY_CHARACTERS = 4_096
TIMES = ("since", "until")

_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s,"]*')
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"|[^\s":=,.]+', re.DOTALL)
# A field's name and its operator; the keys of a path in `fields` may stand in quotes.
_HEAD = re.compile(rf"(?P<name>fields(?:\.(?:{_KEY.pattern}))+|[^\W\d][\w.@$-]*)(?P<operator>[:=])", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')

_OPERATORS: Final = {
    "OR": "separate the values of one field, or words, by commas, as in name:a,b",
    "AND": "leave it out, all terms must hold",
    "NOT": "write - before the term",
    "||": "separate the values of one field, or words, by commas, as in name:a,b",
    "&&": "leave it out, all terms must hold",
}
_WINDOW = 72


class QueryError(InvalidError):
    """A query that cannot be read. `position` is the character at fault, counted from 0; at most the length of the text."""

    def __init__(self, position: int, detail: str) -> None:
        message = f"position {position}: {detail}"
        super().__init__(message, problems=[Problem("#/q", message)])
        self.position = position


class _Value(NamedTuple):
    text: str
    quoted: bool
    position: int


def parse(text: str, *, now: datetime) -> Filter:
    """The filter that `text` asks for; `now`, aware, is what `since:2h` counts from. Raises QueryError."""
    if len(text) > MAX_QUERY_CHARACTERS:
        raise QueryError(MAX_QUERY_CHARACTERS, f"a query has at most {MAX_QUERY_CHARACTERS:,} characters")
    if unstorable := UNSTORABLE.search(text):
        raise QueryError(unstorable.start(), "a query holds no NUL characters and no lone surrogates")
    return _Reading(text, now).filter()


def pointed(text: str, position: int) -> str:
    """Two lines for a terminal: the part of `text` around the position, and a caret under it."""
    first = max(0, min(position - _WINDOW // 2, len(text) - _WINDOW))
    line = "".join(each if each.isprintable() else " " for each in text[first : first + _WINDOW])
    before = sum(map(_columns, line[: position - first]))
    return f"{line}\n{' ' * before}^"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class _Reading:
    """One text on its way to a filter, term by term."""

    def __init__(self, text: str, now: datetime) -> None:
        self._text = text
        self._now = now
        self._at = 0
        self._times: dict[str, datetime] = {}
        self._conditions: list[Condition] = []

    def filter(self) -> Filter:
        self._skip_space()
        while self._at < len(self._text):
            self._term()
            self._skip_space()
        return Filter(self._times.get("since"), self._times.get("until"), tuple(self._conditions))

    def _skip_space(self) -> None:
        self._at = _end(_SPACE, self._text, self._at)

    def _term(self) -> None:
        negated = self._text[self._at] == "-"
        start = self._at
        self._at += negated
        head = _HEAD.match(self._text, self._at)
        if head is None:
            self._words(start, negated=negated)
            return
        name, exactly, name_at = head["name"], head["operator"] == "=", self._at
        self._at = head.end()
        if name in TIMES:
            self._time(name, start, negated=negated)
        elif name.startswith(FIELDS):
            self._path(name, name_at, exactly=exactly, negated=negated)
        elif name in TEXT_FIELDS:
            self._field(name, name_at, exactly=exactly, negated=negated)
        else:
            raise QueryError(name_at, _unknown(name))

    def _words(self, start: int, *, negated: bool) -> None:
        values = self._values()
        first = values[0]
        if negated and not first.quoted and first.text[0] == "-":
            raise QueryError(first.position, 'one - is enough; put a word that begins with "-" in quotes')
        if len(values) == 1 and not first.quoted and first.text in _OPERATORS:
            self._refuse_operator(first, start)
        self._add(DATA, [_in_text(DATA, each) for each in values], start, negated=negated)

    def _refuse_operator(self, word: _Value, start: int) -> None:
        """At the ends of a text it can only be a word."""
        first, last = not self._text[:start].strip(), not self._text[self._at :].strip()
        if not last and (word.text == "NOT" or not first):
            hint = _OPERATORS[word.text]
            raise QueryError(word.position, f"{word.text} means nothing here: {hint}; in quotes it is a word")

    def _field(self, name: str, start: int, *, exactly: bool, negated: bool) -> None:
        values = self._values()
        texts = [_in_text(name, each) for each in values]
        if name == "level" and not exactly:
            if len(values) > 1:
                raise QueryError(values[1].position, "level: takes one level, which and above; level=a,b takes several")
            texts = list(at_least(texts[0]))
        self._add(name, texts, start, negated=negated)

    def _path(self, name: str, start: int, *, exactly: bool, negated: bool) -> None:
        path = _path_of(name)
        try:
            check_path(path)
        except ValueFault as fault:
            raise QueryError(start, f"the path {fault}") from None
        scalars: list[Scalar] = []
        for value in self._values():
            try:
                plain_text(value.text)
            except ValueFault as fault:
                raise QueryError(value.position, str(fault)) from None
            if value.quoted:
                scalars.append(value.text)
            else:
                scalars += [json_scalar(value.text)] if exactly else either(value.text)
        self._add(FIELDS + path, scalars, start, negated=negated)

    def _time(self, name: str, start: int, *, negated: bool) -> None:
        if negated:
            raise QueryError(start, f"{name} cannot be negated; there are since and until")
        if name in self._times:
            raise QueryError(start, f"{name} is there already")
        value, *others = self._values()
        if others:
            raise QueryError(others[0].position, f"{name} takes one time")
        try:
            self._times[name] = time_of(value.text, self._now)
        except ValueFault as fault:
            raise QueryError(value.position, str(fault)) from None
        if len(self._times) == len(TIMES) and self._times["since"] >= self._times["until"]:
            raise QueryError(value.position, "until must be later than since")

    def _add(self, field: str, values: list[Scalar] | list[str], start: int, *, negated: bool) -> None:
        if len(self._conditions) == MAX_CONDITIONS:
            raise QueryError(start, f"a query has at most {MAX_CONDITIONS} terms")
        try:
            self._conditions.append(Condition(field, distinct(values), negated))
        except ValueFault as fault:
            raise QueryError(start, str(fault)) from None

    def _values(self) -> list[_Value]:
        """The list of values that begins here."""
        values = [self._value()]
        while self._at < len(self._text) and not self._text[self._at].isspace():
            if self._text[self._at] != ",":
                raise QueryError(self._at, "after the quotes there must be white space or a comma")
            self._at += 1
            values.append(self._value())
        return values

    def _value(self) -> _Value:
        start = self._at
        if self._text.startswith('"', start):
            quoted = _QUOTED.match(self._text, start)
            if quoted is None:
                raise QueryError(start, 'these quotes are not closed; inside of them \\" is a quote, \\\\ a backslash')
            self._at = quoted.end()
            return _Value(_unquoted(quoted), True, start)
        self._at = _end(_BARE, self._text, start)
        bare = self._text[start : self._at]
        _check_bare(bare, start)
        if self._text.startswith('"', self._at):
            raise QueryError(self._at, "quotes begin in the middle of a value; put all of it in quotes")
        return _Value(bare, False, start)


def _check_bare(bare: str, start: int) -> None:
    if not bare:
        raise QueryError(start, "a value is missing; lists have no spaces, and text with a comma goes in quotes")
    if bare[0] == "(":
        raise QueryError(start, "there are no groups; put text that begins with a parenthesis in quotes")
    if "*" in bare:
        raise QueryError(start + bare.index("*"), "there are no wildcards; put text with an asterisk in quotes")


def _in_text(field: str, value: _Value) -> str:
    try:
        return text_value(field, value.text)
    except ValueFault as fault:
        raise QueryError(value.position, str(fault)) from None


def _unknown(name: str) -> str:
    hint = suggestion(name, [*TEXT_FIELDS, *TIMES])
    if name == FIELDS.rstrip("."):
        hint = "; it takes a path, as in fields.user.id:42"
    elif name.lower() in {"data", "text", "message", "msg", "words"}:
        hint = "; words that stand alone search the text"
    return f'unknown field "{shown(name)}"{hint or "; put text that has a colon or an equals sign in quotes"}'


def _path_of(name: str) -> str:
    """The path in the name of a field, without quotes around its keys."""
    if '"' not in name:
        return name.removeprefix(FIELDS)
    return ".".join(_unquoted(key) for key in _KEY.finditer(name, len(FIELDS)))


def _unquoted(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else _ESCAPE.sub(r"\1", found[1])


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()
