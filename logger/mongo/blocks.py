"""Searching words with blocks: which ranges of time can be left out.

A block stands for a range of time, half open, from `_id` to `until`, and holds a Bloom filter of all words in the text of the entries of
that range. MongoDB tests the bits itself. What fresh blocks rule out is left out; everything else, blocks that are not fresh, times
without a block, and the present, is looked through. docs/adr/0012-blocks.md proves that no entry is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

from common.mongo import Document
from logger.keeping import bloom
from logger.mongo.marks import BY_STATE, COLLECTION, FRESH
from logger.mongo.windows import BEGINNING, END, Budget, SpentError, Window, whole
from logger.ports import Order
from logger.query.filters import DATA, Condition, Filter

INDEXES = [IndexModel([("state", 1), ("until", 1), ("_id", 1)], name=BY_STATE)]

# Blocks are asked in portions, small ones first: with a frequent word the first few have all that a page needs.
FIRST_PORTION = 64
LARGEST_PORTION = 4_096

Bits = list[int]


class BlockIndex:
    """The index over words, for the reader: see `Candidates` in windows.py."""

    def __init__(self, database: Database[Document]) -> None:
        self._blocks = database[COLLECTION]

    def __call__(self, wanted: Filter, *, order: Order, budget: Budget) -> Iterator[Window] | None:
        """Windows in order that do not overlap and hold all entries with these words; None when the filter asks for no word.

        What comes out of the iterator may raise SpentError, or pymongo's errors.
        """
        needs = needs_of(wanted.conditions)
        if not needs:
            return None
        return self._windows(whole(wanted), {"$nor": [_having(needs)]}, order, budget)

    def _windows(self, window: Window, lacking: Document, order: Order, budget: Budget) -> Iterator[Window]:
        try:
            yield from self._found(window, lacking, order, budget)
        except ExecutionTimeout:
            raise SpentError from None

    def _found(self, window: Window, lacking: Document, order: Order, budget: Budget) -> Iterator[Window]:
        for portion in self._portions(window, order, budget):
            ruled_out = self._blocks.find(
                {"_id": {"$gte": portion.since, "$lt": portion.until}, "state": FRESH, **lacking},
                {"until": 1},
                sort=[("_id", 1)],
                hint="_id_",
                max_time_ms=budget.left_ms(),
            )
            left = list(_left(portion, ((each["_id"], each["until"]) for each in ruled_out)))
            for each in reversed(left) if order == "newest" else left:
                common = each.cut(window)
                if not common.empty:
                    yield common

    def _portions(self, window: Window, order: Order, budget: Budget) -> Iterator[Window]:
        """The window and a little more, cut at the beginnings of blocks."""
        size = FIRST_PORTION
        if order == "newest":
            until = window.until
            while until > window.since:
                since = self._block_at({"$lt": until}, -1, size - 1, budget) or BEGINNING
                yield Window(since, until)
                until, size = since, min(size * 4, LARGEST_PORTION)
            return
        since = self._block_at({"$lte": window.since}, -1, 0, budget) or window.since
        while since < window.until:
            until = self._block_at({"$gt": since}, 1, size - 1, budget) or END
            yield Window(since, until)
            since, size = until, min(size * 4, LARGEST_PORTION)

    def _block_at(self, where: Document, direction: int, skip: int, budget: Budget) -> datetime | None:
        """Where the block begins that comes after `skip` others."""
        found = self._blocks.find(
            {"_id": where},
            {"_id": 1},
            sort=[("_id", direction)],
            skip=skip,
            limit=1,
            hint="_id_",
            max_time_ms=budget.left_ms(),
        )
        return next((each["_id"] for each in found), None)


def needs_of(conditions: Iterable[Condition]) -> list[list[Bits]]:
    """For each condition that words can decide: the bits of each of its alternatives."""
    usable = []
    for condition in conditions:
        if condition.field != DATA or condition.negated:
            continue
        alternatives = [bloom.needed(str(value)) for value in condition.values]
        known = [each for each in alternatives if each is not None]
        if known and len(known) == len(alternatives):
            usable.append(known)
    return usable


def _having(needs: list[list[Bits]]) -> dict[str, Any]:
    """Blocks in which every condition has an alternative whose words are all there."""
    return {"$and": [{"$or": [{"words": {"$bitsAllSet": bits}} for bits in alternatives]} for alternatives in needs]}


def _left(portion: Window, ruled_out: Iterable[tuple[datetime, datetime]]) -> Iterator[Window]:
    """What is left of the portion, oldest first. `ruled_out` is in order of its beginnings; overlaps do no harm."""
    since = portion.since
    for begins, ends in ruled_out:
        if begins > since:
            yield Window(since, begins)
        since = max(since, ends)
    if since < portion.until:
        yield Window(since, portion.until)
