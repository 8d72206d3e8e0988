"""The next few thousand entries, counted instead of timed: however slow the database is, whoever asks page by page gets on."""

from __future__ import annotations

from bson import ObjectId
from pymongo.collection import Collection

from common.mongo import Document
from logger.mongo.conditions import created_within
from logger.mongo.gathering import Gathering
from logger.mongo.indexes import NEWEST_FIRST, hinted
from logger.mongo.parts import Parts, end_of
from logger.mongo.windows import UNDATED, Window, just_after
from logger.ports import Page, Position, Question

ENTRIES = 5_000
_STEP_MS = 5_000


def crawl(collection: Collection[Document], gathering: Gathering, question: Question, parts: Parts) -> Page:
    """What matches among the next ENTRIES entries. Raises pymongo's errors; ExecutionTimeout when even that takes seconds."""
    order = question.order
    for part in parts.in_order(order):
        found = _next(collection, part, question)
        if not found:
            continue
        if len(found) < ENTRIES:
            gathering.read(part, _STEP_MS)
            place = end_of(part, order)
        elif part == UNDATED or found[0]["created_at"] == found[-1]["created_at"]:
            # more in one millisecond: as far as these go
            last = found[-1]["_id"]
            moment = part if part == UNDATED else _moment(found[0])
            gathering.read(moment, _STEP_MS, last=last)
            place = Position(moment.since, str(last))
        else:
            # the last millisecond is perhaps not whole
            edge = _moment(found[-1])
            before = Window(edge.until, part.until) if order == "newest" else Window(part.since, edge.since)
            gathering.read(before, _STEP_MS)
            place = end_of(before, order)
        return gathering.page() if gathering.full else Page(gathering.entries, place, complete=False)
    return gathering.page()


def _next(collection: Collection[Document], part: Window, question: Question) -> list[Document]:
    """Times and keys of the first entries in the part."""
    direction, beyond = (-1, "$lt") if question.order == "newest" else (1, "$gt")
    where = created_within(part)
    if question.after is not None and question.after.created_at == part.since:
        where["_id"] = {beyond: ObjectId(question.after.key)}
    order = [("created_at", direction), ("_id", direction)]
    return hinted(
        lambda hint: list(
            collection.find(
                where,
                {"created_at": 1},
                sort=order[1:] if part == UNDATED else order,
                limit=ENTRIES,
                batch_size=ENTRIES,
                max_time_ms=_STEP_MS,
                hint=hint,
            )
        ),
        NEWEST_FIRST,
    )


def _moment(document: Document) -> Window:
    return Window(document["created_at"], just_after(document["created_at"]))
