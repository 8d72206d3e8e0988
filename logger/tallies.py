"""What is counted of some entries, so that questions for numbers need not look at them again. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Beyond so many names in one block they are not told apart any more.
MOST_NAMES = 200
MINUTE_SECONDS = 60


class Tally:
    """How many entries there are of each level, service, name, and of each level in each minute."""

    def __init__(self) -> None:
        self.count = 0
        self.levels: Counter[str] = Counter()
        self.services: Counter[str] = Counter()
        self.names: Counter[str] = Counter()
        self.minutes: Counter[tuple[int, str]] = Counter()

    def add(self, name: str, level: str, service: str, created_at: datetime) -> None:
        self.count += 1
        self.levels[level] += 1
        self.services[service] += 1
        self.minutes[int(created_at.timestamp() // MINUTE_SECONDS), level] += 1
        if len(self.names) <= MOST_NAMES:
            self.names[name] += 1

    def as_document(self) -> dict[str, Any]:
        """Pairs instead of members, since a name may hold what is not allowed as a member's name."""
        return {
            "count": self.count,
            "levels": [list(pair) for pair in self.levels.items()],
            "services": _pairs(self.services),
            "names": _pairs(self.names),
            "minutes": [[minute, level, count] for (minute, level), count in self.minutes.items()],
        }


def counts_of(document: Mapping[str, Any], field: str) -> dict[str, int] | None:
    """The counts by `name`, `level` or `service` in what `as_document` made; None when there were too many to tell."""
    pairs = document.get(f"{field}s")
    return None if pairs is None else dict(pairs)


def _pairs(counts: Counter[str]) -> list[list[Any]] | None:
    return None if len(counts) > MOST_NAMES else [list(pair) for pair in counts.items()]
