"""Brings what waits in a spool to those who should have taken it, oldest first, as soon as they are back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from common.background import BackgroundWork, Rhythm
from common.spool.slot import Slot
from common.spool.spool import Spool

log = logging.getLogger(__name__)

BATCH = 256
# An append wakes the thread at once; a look finds what processes that are gone left behind.
RHYTHM = Rhythm(look=5.0, longest_pause=5.0, stop=6.0)

Deliver = Callable[[Sequence[bytes]], Sequence[str | None]]


class Replayer:
    """Background work. `deliver` returns for each record None when it is taken for good, or why it never will be.

    It raises when some could not be delivered now: then the whole batch comes again, so records need an identity.
    """

    def __init__(self, spool: Spool, deliver: Deliver) -> None:
        self._spool = spool
        self._deliver = deliver
        self._background = BackgroundWork("spool-replay", self._replay, RHYTHM)

    def start(self) -> None:
        """Call after the fork."""
        self._background.start()

    def stop(self) -> None:
        """What is not delivered by now stays in the spool."""
        self._background.stop()

    def notify(self) -> None:
        """Say that something was appended."""
        self._background.notify()

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
        while not self._background.stopping and (batch := slot.oldest(BATCH)).records:
            for record, reason in zip(batch.records, self._deliver(batch.records), strict=True):
                if reason is not None:
                    slot.set_aside(record, reason)
            slot.passed(batch)
            count += len(batch.records)
        return count

    def _replay(self) -> bool:
        count = self.replay()
        if count:
            log.info("spool_replayed", extra={"records": count})
        return False
