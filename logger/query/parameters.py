"""What a request says about the entries it wants, and beside that: order, limit and their like. Read strictly, all faults named at once.

The values are those of a query string (texts, lists of them where a name stands several times) or of a JSON object.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from common.errors import AppError, InvalidError, MalformedError, Problem
from logger.query.filters import FIELDS, Filter
from logger.query.language import MEMBERS, filter_of
from logger.query.values import shown, suggestion

# More than these say nothing new, and each costs time.
_MOST_UNKNOWN = 10
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


class Parameters:
    """Each method gives the default where nothing is given (or null), and where something is wrong, which `check` raises in the end."""

    def __init__(self, values: Mapping[str, Any], *, own: Collection[str], filtering: bool = True) -> None:
        """`own`: what is known beside the members of a filter, if there may be one at all."""
        self._values = values
        self._problems: list[Problem] = []
        self._malformed = False
        self._refusal: InvalidError | None = None
        self._filter: dict[str, Any] = {}
        members = MEMBERS if filtering else ()
        unknown = []
        for name, value in values.items():
            if name in own:
                continue
            if name in members or (filtering and name.startswith(FIELDS)):
                self._filter[name] = value
            else:
                unknown.append(name)
        for name in unknown[:_MOST_UNKNOWN]:
            self._add(name, f"is not known here{suggestion(name, [*own, *members])}")

    def text(self, name: str) -> str | None:
        """May be empty, which is not the same as left out."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        self._add(name, "must be given once" if isinstance(value, list) else "must be a text")
        return None

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value in choices:
            return value
        self._add(name, "must be given once" if isinstance(value, list) else f"must be one of {', '.join(choices)}")
        return default

    def number(self, name: str, *, most: int, default: int) -> int:
        """A whole number from 1 to `most`."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        self._add(name, "must be given once" if isinstance(value, list) else f"must be a whole number from 1 to {most}")
        return default

    def names(self, name: str, choices: Collection[str], default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Some of `choices`, as a text with commas between them or as a list, in the order of `choices`."""
        value = self._values.get(name)
        if value is None:
            return default
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            self._add(name, "must be a list of names")
            return default
        chosen = [part.strip() for text in texts for part in text.split(",")]
        wrong = next((part for part in chosen if part not in choices), None)
        if wrong is not None:
            known = ", ".join(choices)
            self._add(name, f'"{shown(wrong)}" is none of {known}{suggestion(wrong, choices)}')
            return default
        return tuple(choice for choice in choices if choice in chosen)

    def filter(self, now: datetime) -> Filter:
        """`now`: what relative times count from."""
        try:
            return filter_of(self._filter, now=now)
        except InvalidError as error:
            self._refusal = error
            return Filter()

    def refuse(self, name: str, detail: str, *, malformed: bool = False) -> None:
        """`malformed`: it cannot be read at all."""
        self._malformed |= malformed
        self._add(name, detail)

    def check(self) -> None:
        """Raises InvalidError, or MalformedError, when anything was wrong."""
        if self._refusal is not None and not self._problems:
            raise self._refusal
        if self._refusal is not None:
            self._problems += self._refusal.problems or [Problem("#", self._refusal.message)]
        if self._problems:
            raise _refusal(self._problems, MalformedError if self._malformed else InvalidError)

    def _add(self, name: str, detail: str) -> None:
        escaped = shown(name).replace("~", "~0").replace("/", "~1")
        self._problems.append(Problem(f"#/{escaped}", detail))


def _refusal(problems: list[Problem], kind: type[AppError]) -> AppError:
    first = problems[0]
    return kind(f"{first.pointer.removeprefix('#/')}: {first.detail}", problems=problems)
