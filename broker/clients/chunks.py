"""Splits what is sent together into calls that the far side's limits allow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

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


class Missing:
    """Remembers for a while that the far side is an older one which lacks a door."""

    def __init__(self) -> None:
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def note(self) -> None:
        self._until = time.monotonic() + FORGET_SECONDS
