"""Brings what waits in a spool to those who should have taken it, oldest first, as soon as they are back."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence

from common.errors import AppError
from common.spool.slot import Slot
from common.spool.spool import Spool

log = logging.getLogger(__name__)

BATCH = 256
# An append wakes the thread at once; this finds what processes that are gone left behind.
LOOK_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
STOP_SECONDS = 6.0

Deliver = Callable[[Sequence[bytes]], Sequence[str | None]]


class Replayer:
    """A thread. `deliver` returns for each record None when it is taken for good, or why it never will be.

    It raises when some could not be delivered now: then the whole batch comes again, so records need an identity.
    """

    def __init__(self, spool: Spool, deliver: Deliver) -> None:
        self._spool = spool
        self._deliver = deliver
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0

    def start(self) -> None:
        """Call after the fork."""
        self._thread = threading.Thread(target=self._run, name="spool-replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What is not delivered by now stays in the spool."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(STOP_SECONDS)

    def notify(self) -> None:
        """Say that something was appended."""
        self._wake.set()

    def replay(self) -> int:
        """Everything that waits, in this process's slot and in those left by others; how many records that were.

        Raises what `deliver` raises, or OSError.
        """
        own = self._spool.own()
        count = self._drain(own) if own is not None else 0
        with self._spool.left() as left:
            return count + sum(self._drain(slot) for slot in left)

    def _drain(self, slot: Slot) -> int:
        count = 0
        while not self._stopping.is_set() and (batch := slot.oldest(BATCH)).records:
            for record, reason in zip(batch.records, self._deliver(batch.records), strict=True):
                if reason is not None:
                    slot.set_aside(record, reason)
            slot.passed(batch)
            count += len(batch.records)
        return count

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                count = self.replay()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a disk or a driver raises
                self._rest(error)
                continue
            self._failures = 0
            if count:
                log.info("spool_replayed", extra={"records": count})
            self._wake.wait(LOOK_SECONDS)

    def _rest(self, error: Exception) -> None:
        """Says once that records are late, then waits, longer each time; no `notify` shortens it."""
        self._failures += 1
        if self._failures == 1:
            expected = isinstance(error, AppError)
            reason = error.message if isinstance(error, AppError) else type(error).__name__
            log.warning("spool_delayed", extra={"reason": reason}, exc_info=None if expected else error)
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10))
        self._stopping.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
