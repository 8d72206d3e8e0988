"""Room for work that costs much: a few at a time, a bounded queue, and a clear refusal beyond it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import TooManyError


class Gate:
    """Every thread or greenlet that waits here serves nothing else, so the queue must be shorter than the service has of them."""

    def __init__(self, *, slots: int, waiting: int, patience: float, refusal: str, retry_after: int) -> None:
        """`slots` enter at once, `waiting` more wait up to `patience` seconds each; others are told to come again after `retry_after`."""
        self.slots = slots
        self._room = threading.BoundedSemaphore(slots + waiting)
        self._free = threading.BoundedSemaphore(slots)
        self._patience = patience
        self._refusal = refusal
        self._retry_after = retry_after

    @contextmanager
    def pass_through(self) -> Iterator[None]:
        """Raises TooManyError at once when the queue is full, or when no slot became free in time."""
        if not self._room.acquire(blocking=False):
            raise TooManyError(self._refusal, retry_after=self._retry_after)
        try:
            if not self._free.acquire(timeout=self._patience):
                raise TooManyError(self._refusal, retry_after=self._retry_after)
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._room.release()
