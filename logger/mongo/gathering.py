"""One question on its way to a page: the entries that were found so far, and what is asked next."""

from __future__ import annotations

import orjson
from bson import ObjectId
from pymongo.collection import Collection
from pymongo.cursor import Cursor

from common.ids import object_id_hex
from common.mongo import Document
from logger.domain import LogEntry
from logger.mongo.conditions import created_within, query_of
from logger.mongo.documents import entry_of
from logger.mongo.indexes import BY_LEVEL, hinted, index_for
from logger.mongo.windows import MILLISECOND, UNDATED, Window
from logger.ports import Page, Position, Question
from logger.query.filters import Filter

# A page ends before the limit when its entries are as large as this together.
MAX_PAGE_BYTES = 16 * 1024 * 1024


class Gathering:
    def __init__(self, collection: Collection[Document], question: Question) -> None:
        self._collection = collection
        self._index = index_for(question.filter)
        self._conditions = query_of(question.filter)
        self._branches = level_branches(question.filter) if self._index == BY_LEVEL else []
        self._limit = question.limit
        self._after = question.after
        newest = question.order == "newest"
        self._direction, self._beyond, self._up_to = (-1, "$lt", "$gte") if newest else (1, "$gt", "$lte")
        self._room = MAX_PAGE_BYTES
        self.entries: list[LogEntry] = []

    @property
    def full(self) -> bool:
        """One entry more than the limit tells whether another page follows."""
        return len(self.entries) > self._limit or self._room <= 0

    def page(self, *, complete: bool = True) -> Page:
        """When it is neither full nor `complete`, the next page begins behind what was found."""
        if complete and not self.full:
            return Page(self.entries, None)
        entries = self.entries[: self._limit]
        return Page(entries, Position(entries[-1].created_at, object_id_hex(entries[-1].id)), complete)

    def read(self, window: Window, max_time_ms: int, *, last: ObjectId | None = None) -> None:
        """Takes the window's entries until the page is full; all of them or, when an error is raised, none. `last`: not beyond it.

        The window that begins in the millisecond where the question does is no longer than that.
        """
        time = {"created_at": window.since} if _is_moment(window) else created_within(window)
        keys: Document = {}
        if self._after is not None and window.since == self._after.created_at:
            keys[self._beyond] = ObjectId(self._after.key)
        if last is not None:
            keys[self._up_to] = last
        where = {**time, **({"_id": keys} if keys else {})}
        query = {**self._conditions, **where}
        if self._branches:
            query["$or"] = [{**branch, **where} for branch in self._branches]
        # entries without a time lie beside those with the zero time, though the database has an order between them
        order = [("_id", self._direction)]
        if window.until > UNDATED.until:
            order.insert(0, ("created_at", self._direction))
        hinted(lambda hint: self._take(query, order, hint, max_time_ms), self._index)

    def _take(self, query: Document, order: list[tuple[str, int]], hint: str | None, max_time_ms: int) -> None:
        wanted = self._limit + 1 - len(self.entries)
        cursor: Cursor[Document] = self._collection.find(
            query, sort=order, limit=wanted, batch_size=wanted, max_time_ms=max_time_ms, hint=hint
        )
        found: list[LogEntry] = []
        room = self._room
        with cursor:
            for document in cursor:
                entry = entry_of(document)
                found.append(entry)
                room -= _size(entry)
                if room <= 0:
                    break
        self.entries += found
        self._room = room


def level_branches(wanted: Filter) -> list[Document]:
    """One for each level: what MongoDB finds by them it merges in order; by one $in it would read and sort all of these levels."""
    # each with all that the index knows, to be looked up there
    known = query_of(Filter(conditions=tuple(each for each in wanted.conditions if each.field in {"name", "service"})))
    return [{"level": level, **known} for level in wanted.values_of("level")]


def _is_moment(window: Window) -> bool:
    return window.until - window.since == MILLISECOND and window != UNDATED


def _size(entry: LogEntry) -> int:
    """About what the entry takes in memory."""
    size = len(entry.data) + 1_000
    return size + 4 * len(orjson.dumps(entry.fields, default=str)) if entry.fields else size
