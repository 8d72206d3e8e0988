"""What is added up for a question about numbers, from the tallies of blocks and from what the database counts of entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common.mongo import Document
from logger.keeping.tallies import MINUTE_SECONDS, counts_of, minutes_of
from logger.ports import Bar
from logger.query.filters import Condition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of one window, the values that most entries have; beyond that many the least frequent are lost.
MOST_VALUES = 1_000


class Sum(ABC):
    """`told_by_blocks`: whether the tallies of blocks can answer at all; `block_fields`: which ones."""

    told_by_blocks: bool
    block_fields: tuple[str, ...]

    @abstractmethod
    def is_told_by(self, block: Mapping[str, Any]) -> bool:
        """False for a block that did not count what is asked."""

    @abstractmethod
    def add_block(self, block: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def pipeline(self) -> list[Document]:
        """How the database counts the entries that match."""

    @abstractmethod
    def add(self, rows: Iterable[Document]) -> None:
        """What the pipeline found."""


class CountSum(Sum):
    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.count = 0
        self._passes = _Passing(conditions)
        fields = {condition.field for condition in conditions}
        self.told_by_blocks = not fields or (len(fields) == 1 and fields <= {"name", "level", "service"})
        self._field = next(iter(fields), "")
        self.block_fields = (f"{self._field}s",) if fields else ("count",)

    def is_told_by(self, block: Mapping[str, Any]) -> bool:
        return all(block.get(field) is not None for field in self.block_fields)

    def add_block(self, block: Mapping[str, Any]) -> None:
        if not self._field:
            self.count += block["count"]
            return
        counts = counts_of(block, self._field) or {}
        self.count += sum(count for value, count in counts.items() if self._passes[value])

    def pipeline(self) -> list[Document]:
        return [{"$group": {"_id": None, "n": {"$sum": 1}}}]

    def add(self, rows: Iterable[Document]) -> None:
        self.count += sum(row["n"] for row in rows)


class HistogramSum(Sum):
    def __init__(self, conditions: Sequence[Condition], seconds: int) -> None:
        self._passes = _Passing(conditions)
        self._seconds = seconds
        self._bars: defaultdict[int, Counter[str]] = defaultdict(Counter)
        by_level = all(condition.field == "level" for condition in conditions)
        self.told_by_blocks = by_level and seconds % MINUTE_SECONDS == 0
        self.block_fields = ("minutes",)

    def bars(self) -> list[Bar]:
        return [
            Bar(EPOCH + timedelta(seconds=start), dict(levels))
            for start, levels in sorted(self._bars.items())
            if levels
        ]

    def is_told_by(self, block: Mapping[str, Any]) -> bool:
        return block.get("minutes") is not None

    def add_block(self, block: Mapping[str, Any]) -> None:
        for minute, level, count in minutes_of(block):
            if self._passes[level]:
                start = minute * MINUTE_SECONDS
                self._bars[start - start % self._seconds][level] += count

    def pipeline(self) -> list[Document]:
        size = self._seconds * 1000
        moment = {"$toLong": "$created_at"}
        # the remainder of a time before 1970 is negative
        into = {"$mod": [{"$add": [{"$mod": [moment, size]}, size]}, size]}
        key = {"start": {"$subtract": [moment, into]}, "level": _value_of("level")}
        return [{"$group": {"_id": key, "n": {"$sum": 1}}}]

    def add(self, rows: Iterable[Document]) -> None:
        for row in rows:
            self._bars[row["_id"]["start"] // 1000][row["_id"]["level"]] += row["n"]


class FacetSum(Sum):
    def __init__(self, conditions: Sequence[Condition], fields: Sequence[str]) -> None:
        self._passes = _Passing(conditions)
        self._counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
        conditioned = {condition.field for condition in conditions}
        self.told_by_blocks = not conditioned or (len(conditioned) == 1 and conditioned == set(fields))
        self.block_fields = tuple(f"{field}s" for field in fields)

    def values(self, limit: int) -> dict[str, list[tuple[str, int]]]:
        """The most frequent first, equals in order of the alphabet."""
        return {
            field: sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
            for field, counts in self._counts.items()
        }

    def is_told_by(self, block: Mapping[str, Any]) -> bool:
        return all(block.get(field) is not None for field in self.block_fields)

    def add_block(self, block: Mapping[str, Any]) -> None:
        for field, total in self._counts.items():
            for value, count in (counts_of(block, field) or {}).items():
                if self._passes[value]:
                    total[value] += count

    def pipeline(self) -> list[Document]:
        def most(field: str) -> list[Document]:
            group = {"$group": {"_id": _value_of(field), "n": {"$sum": 1}}}
            return [group, {"$sort": {"n": -1, "_id": 1}}, {"$limit": MOST_VALUES}]

        return [{"$facet": {field: most(field) for field in self._counts}}]

    def add(self, rows: Iterable[Document]) -> None:
        for row in rows:
            for field, found in row.items():
                for each in found:
                    self._counts[field][str(each["_id"])] += each["n"]


class _Passing(dict[str, bool]):
    """Whether the conditions, all about one field, hold for a value; found out once for each."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        super().__init__()
        self._conditions = conditions

    def __missing__(self, value: str) -> bool:
        passes = all((value in each.values) is not each.negated for each in self._conditions)
        self[value] = passes
        return passes


def _value_of(field: str) -> Document:
    """As documents of the Go original are read, which lack these fields."""
    value: Document = {"$ifNull": [f"${field}", ""]}
    return {"$cond": [{"$eq": [value, ""]}, "INFO", value]} if field == "level" else value
