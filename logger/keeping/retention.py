"""How long entries stay: rules by level and by size, which can be changed at any time, and the sweep that carries them out.

Entries of the category `audit` are never deleted by either, nor those that have no time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from common.errors import AppError, InvalidError, Problem
from protos.limits import LEVELS
from protos.rules import level_of

# Less would race with retries, which may arrive much later than they were written; more is what no calendar holds.
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=36_500)
# A smaller cap is a slip of the finger, and would empty the store.
SMALLEST_CAP = 16 * 1024 * 1024
LARGEST_CAP = 2**60

_AGE = re.compile(r"([1-9][0-9]{0,5})([hdw])", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MEMBERS = ("levels", "max_bytes")


class Rules(NamedTuple):
    """`ages`: how long entries of a level stay; those of a level that is not there stay for ever. `max_bytes`: what all entries
    together may take, uncompressed; None: no limit.
    """

    ages: Mapping[str, timedelta] = {}
    max_bytes: int | None = None


class RulesStore(Protocol):
    """Both methods raise UnavailableError."""

    def load(self) -> Rules: ...

    def save(self, rules: Rules) -> None: ...


def read_rules(value: object) -> Rules:
    """The rules in a JSON value such as `{"levels": {"DEBUG": "7d", "INFO": null}, "max_bytes": 5000000000}`. What is left out has no limit.

    Raises InvalidError that names every fault.
    """
    if not isinstance(value, dict):
        raise InvalidError("body must be an object", problems=[Problem("#", "must be an object")])
    problems = [Problem(f"#/{_escaped(name)}", "is not known") for name in value if name not in _MEMBERS]
    ages = _ages(value.get("levels"), problems)
    cap = value.get("max_bytes")
    if not _is_cap(cap):
        problems.append(Problem("#/max_bytes", f"must be null or a whole number of bytes from {SMALLEST_CAP} on"))
    if problems:
        first = problems[0]
        raise InvalidError(f"{first.pointer.removeprefix('#/').replace('/', '.')}: {first.detail}", problems=problems)
    return Rules(ages, int(cap) if cap else None)


def _is_cap(value: object) -> bool:
    # what the database gives back is an integer of its own kind
    if isinstance(value, int) and not isinstance(value, bool):
        return SMALLEST_CAP <= value <= LARGEST_CAP
    return value is None


def _ages(value: object, problems: list[Problem]) -> dict[str, timedelta]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(Problem("#/levels", "must be an object of levels"))
        return {}
    ages: dict[str, timedelta | None] = {}
    for name, text in value.items():
        pointer = f"#/levels/{_escaped(name)}"
        level = level_of(name) if name else None
        if level is None:
            problems.append(Problem(pointer, f"is no level; levels are {', '.join(LEVELS)}"))
        elif level in ages:
            problems.append(Problem(pointer, "names a level a second time"))
        else:
            ages[level] = _age(pointer, text, problems)
    return {level: age for level in LEVELS if (age := ages.get(level))}


def _age(pointer: str, text: object, problems: list[Problem]) -> timedelta | None:
    found = _AGE.fullmatch(text) if isinstance(text, str) else None
    if found is not None:
        age = int(found[1]) * _UNITS[found[2]]
        if SHORTEST <= age <= LONGEST:
            return age
    if text is not None:
        problems.append(
            Problem(pointer, "must be null, or a time from 1h to 36500d in hours, days or weeks, such as 7d")
        )
    return None


def rules_as_json(rules: Rules) -> dict[str, Any]:
    """What `read_rules` reads as the same rules; every level is named."""
    levels = {level: age_text(rules.ages[level]) if level in rules.ages else None for level in LEVELS}
    return {"levels": levels, "max_bytes": rules.max_bytes}


def age_text(age: timedelta) -> str:
    """Such as 7d or 36h."""
    hours = age // timedelta(hours=1)
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"


def _escaped(key: object) -> str:
    """RFC 6901, section 3; what somebody sent as a name is not repeated at full length."""
    return str(key)[:40].replace("~", "~0").replace("/", "~1")


class ArchiveError(AppError):
    """What was to be deleted could not be written away first; nothing was deleted."""
