"""Limits how many requests may wait at once, since each one that does holds a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import ServiceUnavailable

MOST_WAITING = 64


class Patience:
    def __init__(self, most: int = MOST_WAITING) -> None:
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises ServiceUnavailable at once when all are taken."""
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable("Too many requests are waiting for mail.", retry_after=1)
        try:
            yield
        finally:
            self._places.release()
