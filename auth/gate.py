"""Room for work that keeps a core busy: a few at a time, a bounded queue, and a clear refusal beyond it.

Every thread that waits here is one that serves nothing else, so the queue is shorter than the service has threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import TooManyError

MOST_WAITING = 64
# Below the 30 s that the gateway waits for an answer, and enough for 64 logins on two slow cores.
PATIENCE_SECONDS = 20.0
RETRY_SECONDS = 2
REFUSAL = "too many logins at the moment"


class Gate:
    def __init__(self, *, slots: int, waiting: int, patience: float = PATIENCE_SECONDS) -> None:
        """`slots` enter at once, `waiting` more wait up to `patience` seconds each."""
        self.slots = slots
        self._room = threading.BoundedSemaphore(slots + waiting)
        self._free = threading.BoundedSemaphore(slots)
        self._patience = patience

    @contextmanager
    def pass_through(self) -> Iterator[None]:
        """Raises TooManyError at once when the queue is full, or when no slot became free in time."""
        if not self._room.acquire(blocking=False):
            raise TooManyError(REFUSAL, retry_after=RETRY_SECONDS)
        try:
            if not self._free.acquire(timeout=self._patience):
                raise TooManyError(REFUSAL, retry_after=RETRY_SECONDS)
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._room.release()


def gate_for(threads: int) -> Gate:
    """One slot a core, and a quarter of the service's threads always left for other requests."""
    usable = threads - max(1, threads // 4)
    slots = min(len(os.sched_getaffinity(0)), max(1, usable // 2))
    return Gate(slots=slots, waiting=min(MOST_WAITING, usable - slots))
