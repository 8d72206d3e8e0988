"""Splits what is sent together into calls that the far side's limits allow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from broker.domain import Receipt, Result
from common.errors import AppError, DeadlineError, UnavailableError

T = TypeVar("T")

# What a far side does not know is asked for again after this long: it may have been replaced by one that does.
FORGET_SECONDS = 60.0


def chunks(sizes: Sequence[int], *, max_items: int, max_bytes: int) -> Iterator[slice]:
    """Runs of items whose sizes add up to `max_bytes` at most; an item larger than that goes alone."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == max_items or total + size > max_bytes):
            yield slice(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def one_by_one(write: Callable[[T], Receipt], items: Sequence[T]) -> list[Result]:
    """One result for each item; after the first that finds nobody there, the others are not tried."""
    results: list[Result] = []
    for item in items:
        try:
            results.append(write(item))
        except (UnavailableError, DeadlineError) as error:
            return results + [error] * (len(items) - len(results))
        except AppError as error:
            results.append(error)
    return results


def in_chunks(
    write: Callable[[slice], list[Result]], sizes: Sequence[int], *, max_items: int, max_bytes: int
) -> list[Result]:
    """One result for each item, written in as many calls as the limits need. Raises what the first call raises."""
    results: list[Result] = []
    for part in chunks(sizes, max_items=max_items, max_bytes=max_bytes):
        try:
            results += write(part)
        except AppError as error:
            if not results:
                raise
            return results + [error] * (len(sizes) - len(results))
    return results


class Missing:
    """Remembers for a while that the far side is an older one which lacks a door."""

    def __init__(self) -> None:
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def note(self) -> None:
        self._until = time.monotonic() + FORGET_SECONDS
