"""What every question to the collection shares: which entries there are at all, and what its errors mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, PyMongoError

from common.errors import DeadlineError, UnavailableError
from common.mongo import Document
from logger.mongo.conditions import created_within
from logger.mongo.indexes import NEWEST_FIRST, hinted
from logger.mongo.windows import Budget, SpentError, Window, just_after

log = logging.getLogger(__name__)

T = TypeVar("T")


def extent(collection: Collection[Document], window: Window, budget: Budget) -> Window | None:
    """The part of the window from its first to its last entry; None when it has none. Raises SpentError and pymongo's errors."""
    try:
        first, last = _end(collection, window, 1, budget), _end(collection, window, -1, budget)
    except ExecutionTimeout:
        raise SpentError from None
    return None if first is None or last is None else Window(first, just_after(last))


def _end(collection: Collection[Document], window: Window, direction: int, budget: Budget) -> datetime | None:
    found = hinted(
        lambda hint: collection.find_one(
            created_within(window),
            {"created_at": 1, "_id": 0},
            sort=[("created_at", direction), ("_id", direction)],
            hint=hint,
            max_time_ms=budget.left_ms(),
        ),
        NEWEST_FIRST,
    )
    return None if found is None else found["created_at"]


def answered(ask: Callable[[], T]) -> T:
    """What `ask` returns. Raises DeadlineError or UnavailableError in place of pymongo's errors."""
    try:
        return ask()
    except ExecutionTimeout as error:
        raise DeadlineError("the question took too long") from error
    except PyMongoError as error:
        log.warning("log_query_failed", extra={"reason": type(error).__name__, "code": getattr(error, "code", None)})
        raise UnavailableError("the log store's database cannot be used now") from error
