"""Pages of entries from MongoDB, each in bounded time, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

from common.mongo import Document
from logger.mongo.asking import answered, extent
from logger.mongo.crawling import crawl
from logger.mongo.documents import COLLECTION
from logger.mongo.gathering import Gathering
from logger.mongo.parts import Parts, is_behind, parts_of, place_at
from logger.mongo.windows import Budget, Candidates, SpentError, Window, scan
from logger.ports import Page, Question

# A question that an index answers takes a few milliseconds; one that needs more than this is asked window by window.
FIRST_TRY_MS = 150
EXTENT_SECONDS = 0.5


class MongoLogReader:
    """See LogReader. `seconds`: the time for one question. `candidates`: what an index over words knows."""

    def __init__(
        self, client: MongoClient[Document], *, seconds: float = 2.0, candidates: Candidates | None = None
    ) -> None:
        self._collection: Collection[Document] = client.get_default_database(default="logs")[COLLECTION]
        self._seconds = seconds
        self._candidates = candidates

    def page(self, question: Question) -> Page:
        """Raises DeadlineError when the time is spent before anything was looked at."""
        return answered(lambda: self._page(question))

    def _page(self, question: Question) -> Page:
        gathering, parts = Gathering(self._collection, question), parts_of(question)
        try:
            seconds = self._seconds if question.seconds is None else min(self._seconds, question.seconds)
            self._gather(gathering, question, parts, Budget(seconds))
        except SpentError as spent:
            return self._unfinished(gathering, question, parts, spent.border)
        return gathering.page()

    def _gather(self, gathering: Gathering, question: Question, parts: Parts, budget: Budget) -> None:
        """Looks until the page is full or the range is done. Raises SpentError."""

        def look(ranges: Iterable[Window]) -> None:
            windows = scan(
                ranges,
                order=question.order,
                budget=budget,
                step=gathering.read,
                tighten=lambda window: extent(self._collection, window, budget),
            )
            while not gathering.full and next(windows, None) is not None:
                pass

        dated = self._ranges(gathering, question, parts.dated, budget)
        look([parts.beside])
        if question.order == "newest":
            look(dated)
            look([parts.undated])
        else:
            look([parts.undated])
            look(dated)

    def _ranges(self, gathering: Gathering, question: Question, window: Window, budget: Budget) -> Iterator[Window]:
        """Where entries may be that one query does not find at once."""
        if window.empty:
            return
        known = None
        if self._candidates is not None:
            # not the whole range of the filter: what lies before this page need not be asked for
            rest = question.filter._replace(since=window.since, until=window.until)
            known = self._candidates(rest, order=question.order, budget=budget)
        if known is None:
            try:
                # to MongoDB 0 is no limit at all
                gathering.read(window, max(1, min(FIRST_TRY_MS, budget.left_ms() // 4)))
            except ExecutionTimeout:
                known = iter([window])
            else:
                return
        # without it no window can be chosen, so it has a little time of its own
        within = extent(self._collection, window, Budget(EXTENT_SECONDS))
        if within is not None:
            yield from (part for each in known if not (part := each.cut(within)).empty)

    def _unfinished(self, gathering: Gathering, question: Question, parts: Parts, border: datetime | None) -> Page:
        """As far as was looked."""
        if border is not None:
            place, after = place_at(border, question.order), question.after
            if gathering.entries or after is None or is_behind(place, after, question.order):
                return Page(gathering.entries, place, complete=False)
        if gathering.entries:
            return gathering.page(complete=False)
        return crawl(self._collection, gathering, question, parts)
