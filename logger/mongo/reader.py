"""Pages of entries from MongoDB, each in bounded time, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout

from common.errors import DeadlineError
from common.mongo import Document
from logger.mongo.asking import answered, extent
from logger.mongo.conditions import created_within
from logger.mongo.documents import COLLECTION
from logger.mongo.gathering import Gathering
from logger.mongo.indexes import NEWEST_FIRST, hinted
from logger.mongo.windows import (
    MILLISECOND,
    UNDATED,
    Budget,
    Candidates,
    SpentError,
    Window,
    just_after,
    rounded_up,
    scan,
    whole,
)
from logger.ports import Order, Page, Position, Question

# A question that an index answers takes a few milliseconds; one that needs more than this is asked window by window.
FIRST_TRY_MS = 150
# Where one millisecond holds more entries than can be looked at in the time for a question, so many are looked at all the same.
CRAWL_ENTRIES = 5_000
CRAWL_MS = 5_000

_LOWEST, _HIGHEST = "0" * 24, "f" * 24


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
        gathering, parts = Gathering(self._collection, question), _parts(question)
        try:
            self._gather(gathering, question, parts, Budget(self._seconds))
        except SpentError as spent:
            return self._unfinished(gathering, question, parts, spent.border)
        return gathering.page()

    def _gather(self, gathering: Gathering, question: Question, parts: _Parts, budget: Budget) -> None:
        """Looks until the page is full or the range is done. Raises SpentError."""

        def look(ranges: Iterable[Window]) -> None:
            windows = scan(ranges, order=question.order, budget=budget, step=gathering.read)
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
            known = self._candidates(question.filter, order=question.order, budget=budget)
        if known is None:
            try:
                gathering.read(window, budget.left_ms(FIRST_TRY_MS))
            except ExecutionTimeout:
                known = iter([window])
            else:
                return
        within = extent(self._collection, window, budget)
        if within is not None:
            yield from (part for each in known if not (part := each.cut(within)).empty)

    def _unfinished(self, gathering: Gathering, question: Question, parts: _Parts, border: datetime | None) -> Page:
        """As far as was looked."""
        order, after = question.order, question.after
        place = _place(border or parts.start(order), order)
        begun = border is not None if after is None else _is_behind(place, after, order)
        if gathering.entries or begun:
            return Page(gathering.entries, place, complete=False)
        if border is None:
            raise DeadlineError("the question took too long")
        moment = border if order == "oldest" else border - MILLISECOND
        return self._crawled(gathering, question, Window(moment, just_after(moment)))

    def _crawled(self, gathering: Gathering, question: Question, moment: Window) -> Page:
        """Some entries of one millisecond, so that whoever asks page by page comes to an end."""
        direction, beyond, end = (-1, "$lt", _LOWEST) if question.order == "newest" else (1, "$gt", _HIGHEST)
        within = created_within(moment)
        if question.after is not None and question.after.created_at == moment.since:
            within["_id"] = {beyond: ObjectId(question.after.key)}
        keys = hinted(
            lambda hint: [
                document["_id"]
                for document in self._collection.find(
                    within,
                    {"_id": 1},
                    sort=[("_id", direction)],
                    limit=CRAWL_ENTRIES,
                    batch_size=CRAWL_ENTRIES,
                    max_time_ms=CRAWL_MS,
                    hint=hint,
                )
            ],
            NEWEST_FIRST,
        )
        if keys:
            gathering.read(moment, CRAWL_MS, last=keys[-1])
        if gathering.full:
            return gathering.page()
        key = end if len(keys) < CRAWL_ENTRIES else str(keys[-1])
        return Page(gathering.entries, Position(moment.since, key), complete=False)


class _Parts(NamedTuple):
    """What a question is about: the rest of the millisecond where it begins, the entries without a time, and all others."""

    beside: Window
    undated: Window
    dated: Window

    def start(self, order: Order) -> datetime:
        return self.dated.until if order == "newest" else self.dated.since


def _parts(question: Question) -> _Parts:
    since, until = whole(question.filter)
    beside = Window(since, since)
    if question.after is not None:
        moment = rounded_up(question.after.created_at)
        behind = moment
        if moment == question.after.created_at:
            behind = just_after(moment)
            beside = Window(moment, behind).cut(Window(since, until))
        if question.order == "newest":
            until = min(until, moment)
        else:
            since = max(since, behind)
    return _Parts(beside, UNDATED.cut(Window(since, until)), Window(max(since, UNDATED.until), until))


def _place(border: datetime, order: Order) -> Position:
    """Just before what was not looked at."""
    if order == "newest":
        return Position(border, _LOWEST)
    return Position(border - MILLISECOND, _HIGHEST) if border >= UNDATED.until else Position(border, _LOWEST)


def _is_behind(place: Position, other: Position, order: Order) -> bool:
    return place < other if order == "newest" else place > other
