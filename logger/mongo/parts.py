"""Where a question looks: the parts of its range, and the places between entries where one question ends and the next begins."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from logger.mongo.windows import MILLISECOND, UNDATED, Window, just_after, rounded_up, whole
from logger.ports import Order, Position, Question

_LOWEST, _HIGHEST = "0" * 24, "f" * 24


class Parts(NamedTuple):
    """What a question is about: the rest of the millisecond where it begins, the entries without a time, and all others."""

    beside: Window
    undated: Window
    dated: Window

    def in_order(self, order: Order) -> tuple[Window, ...]:
        rest = (self.dated, self.undated) if order == "newest" else (self.undated, self.dated)
        return tuple(part for part in (self.beside, *rest) if not part.empty)


def parts_of(question: Question) -> Parts:
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
    return Parts(beside, UNDATED.cut(Window(since, until)), Window(max(since, UNDATED.until), until))


def place_at(border: datetime, order: Order) -> Position:
    """Just before what lies behind the border in this order."""
    if order == "newest":
        return Position(border, _LOWEST)
    return Position(border - MILLISECOND, _HIGHEST) if border >= UNDATED.until else Position(border, _LOWEST)


def end_of(window: Window, order: Order) -> Position:
    return place_at(window.since if order == "newest" else window.until, order)


def is_behind(place: Position, other: Position, order: Order) -> bool:
    return place < other if order == "newest" else place > other
