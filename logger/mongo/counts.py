"""Numbers of entries: from what the blocks have counted where that answers the question, by looking at the entries where not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

from common.errors import DeadlineError
from common.mongo import Document
from logger.mongo.asking import answered, extent
from logger.mongo.conditions import created_within, query_of
from logger.mongo.documents import COLLECTION
from logger.mongo.gathering import level_branches
from logger.mongo.indexes import BY_LEVEL, hinted, index_for
from logger.mongo.marks import COLLECTION as BLOCKS
from logger.mongo.marks import FRESH
from logger.mongo.sums import CountSum, FacetSum, HistogramSum, Sum
from logger.mongo.windows import UNDATED, Budget, Candidates, SpentError, Window, scan, whole
from logger.ports import Count, Facets, Histogram
from logger.query.filters import Filter

# A question that an index answers takes a few milliseconds; one that needs more than this is asked window by window.
FIRST_TRY_MS = 150
BLOCKS_AT_A_TIME = 250


class MongoCounts:
    """See LogCounter. `seconds`: the time for one question. `candidates`: what an index over words knows."""

    def __init__(
        self, client: MongoClient[Document], *, seconds: float = 2.0, candidates: Candidates | None = None
    ) -> None:
        database = client.get_default_database(default="logs")
        self._logs: Collection[Document] = database[COLLECTION]
        self._blocks: Collection[Document] = database[BLOCKS]
        self._seconds = seconds
        self._candidates = candidates

    def count(self, wanted: Filter) -> Count:
        """Raises DeadlineError when the time is spent before anything was counted, or UnavailableError; so do the others."""
        total = CountSum(wanted.conditions)
        since = answered(lambda: self._sum(wanted, total))
        return Count(total.count, since is None, since)

    def histogram(self, wanted: Filter, *, seconds: int) -> Histogram:
        total = HistogramSum(wanted.conditions, seconds)
        since = answered(lambda: self._sum(wanted, total))
        return Histogram(total.bars(), since is None, since)

    def facets(self, wanted: Filter, fields: Sequence[str], *, limit: int) -> Facets:
        total = FacetSum(wanted.conditions, fields)
        since = answered(lambda: self._sum(wanted, total))
        return Facets(total.values(limit), since is None, since)

    def _sum(self, wanted: Filter, total: Sum) -> datetime | None:
        """Adds everything up, from the newest on: None when that was done, else since when."""
        return _Summing(self, wanted, total, Budget(self._seconds)).run()

    def look(self, wanted: Filter, total: Sum, window: Window, max_time_ms: int) -> list[Document]:
        """What the database counts of the entries in the window."""
        index, time = index_for(wanted), created_within(window)
        match = {**query_of(wanted), **time}
        if index == BY_LEVEL:
            # by one $in, which is not the index's own, MongoDB would read all of it
            match["$or"] = [{**branch, **time} for branch in level_branches(wanted)]

        def ask(hint: str | None) -> list[Document]:
            options: Document = {"hint": hint} if hint else {}
            return list(self._logs.aggregate([{"$match": match}, *total.pipeline()], maxTimeMS=max_time_ms, **options))

        return hinted(ask, index)

    def extent(self, window: Window, budget: Budget) -> Window | None:
        return extent(self._logs, window, budget)

    def known(self, wanted: Filter, budget: Budget) -> Iterator[Window] | None:
        return self._candidates(wanted, order="newest", budget=budget) if self._candidates else None

    def blocks(self, window: Window, fields: Iterable[str], budget: Budget) -> Iterable[Document]:
        """Fresh ones that begin in the window, newest first."""
        return self._blocks.find(
            {"_id": {"$gte": window.since, "$lt": window.until}, "state": FRESH},
            dict.fromkeys(("until", *fields), 1),
            sort=[("_id", -1)],
            hint="_id_",
            # what waits for the database lets others work: so many blocks are added up between two waits
            batch_size=BLOCKS_AT_A_TIME,
            max_time_ms=budget.left_ms(),
        )


class _Summing:
    """One question. `_done`: everything from there on has been added."""

    def __init__(self, counts: MongoCounts, wanted: Filter, total: Sum, budget: Budget) -> None:
        self._counts = counts
        self._wanted = wanted
        self._total = total
        self._budget = budget
        window = whole(wanted)
        self._undated = UNDATED.cut(window)
        self._dated = Window(max(window.since, UNDATED.until), window.until)
        self._done = window.until

    def run(self) -> datetime | None:
        try:
            if not self._dated.empty:
                self._add(self._ranges())
            self._add([self._undated])
        except SpentError as spent:
            if spent.border is not None:
                self._done = min(self._done, spent.border)
            if self._done >= whole(self._wanted).until:
                raise DeadlineError("the question took too long") from None
            return self._done
        return None

    def _add(self, ranges: Iterable[Window]) -> None:
        for window, rows in self._scanned(ranges):
            self._total.add(rows)
            self._done = window.since

    def _scanned(self, ranges: Iterable[Window]) -> Iterator[tuple[Window, list[Document]]]:
        budget = self._budget

        def tighten(window: Window) -> Window | None:
            return self._counts.extent(window, budget)

        return scan(ranges, order="newest", budget=budget, step=self._look, tighten=tighten)

    def _look(self, window: Window, max_time_ms: int) -> list[Document]:
        return self._counts.look(self._wanted, self._total, window, max_time_ms)

    def _ranges(self) -> Iterator[Window]:
        """What has to be looked at, newest first. What the blocks know is added in passing."""
        if self._total.told_by_blocks:
            within = self._counts.extent(self._dated, self._budget)
            if within is not None:
                yield from (each.cut(within) for each in self._beside_blocks())
            return
        known = self._counts.known(self._wanted, self._budget)
        if known is None:
            try:
                rows = self._look(self._dated, self._budget.left_ms(FIRST_TRY_MS))
            except ExecutionTimeout:
                known = iter([self._dated])
            else:
                self._total.add(rows)
                self._done = self._dated.since
                return
        within = self._counts.extent(self._dated, self._budget)
        if within is not None:
            yield from (each.cut(within) for each in known)

    def _beside_blocks(self) -> Iterator[Window]:
        """Each block is believed for its own range, which no other that is used overlaps; so nothing is counted twice."""
        since, border = self._dated
        for block in self._counts.blocks(self._dated, self._total.block_fields, self._budget):
            if block["until"] > border or not self._total.is_told_by(block):
                continue
            # first what is newer, so that all is added in order
            if block["until"] < border:
                yield Window(block["until"], border)
            self._total.add_block(block)
            border = self._done = block["_id"]
            self._budget.left_ms()
        if since < border:
            yield Window(since, border)
