"""What a reader of the live tail asks for, the same at both doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from logger.query.filters import Filter
from logger.query.parameters import Parameters
from logger.tailing.changes import MAX_HISTORY

HISTORY = 100

_WHOLE = re.compile(r"[0-9]{1,4}", re.ASCII)


class TailAsked(NamedTuple):
    """`history`: how many of the entries that were there before."""

    wanted: Filter
    history: int


def read_tail(values: Mapping[str, Any], now: datetime) -> TailAsked:
    """The members of a filter and `history`. Raises InvalidError that names every fault."""
    given = Parameters(values, own=("history",))
    wanted = given.filter(now)
    text = given.text("history")
    if text is None:
        text = str(HISTORY)
    if not _WHOLE.fullmatch(text) or int(text) > MAX_HISTORY:
        given.refuse("history", f"must be a whole number from 0 to {MAX_HISTORY}")
        text = "0"
    given.check()
    return TailAsked(wanted, int(text))
