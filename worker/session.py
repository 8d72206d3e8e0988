"""What belongs to one channel: a delivery tag of an old channel means another message on a new one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.domain import Settlement
from worker.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Session:
    """`wake` makes the thread that owns the channel ask for `settlements`; it is called from other threads.

    `ending` stops further tries, `lost` work that nobody could settle any more.
    """

    wake: Callable[[], object]
    ledger: Ledger = field(default_factory=Ledger)
    ending: threading.Event = field(default_factory=threading.Event)
    lost: bool = False
    _stored: deque[list[int]] = field(default_factory=deque)
    _refused: deque[list[int]] = field(default_factory=deque)
    _jobs: int = 0
    _finished: threading.Condition = field(default_factory=threading.Condition)

    def store(self, tags: list[int]) -> None:
        """They are kept for good and may be acknowledged. For any thread."""
        self._settle(self._stored, tags)

    def refuse(self, tags: list[int]) -> None:
        """The broker itself is to set them aside. For any thread."""
        self._settle(self._refused, tags)

    def settlements(self) -> list[Settlement]:
        """What has been settled since the last call."""
        stored = [tag for _ in range(len(self._stored)) for tag in self._stored.popleft()]
        refused = [tag for _ in range(len(self._refused)) for tag in self._refused.popleft()]
        # The refused first, so that one acknowledgement can stand for all that lies around them.
        return self.ledger.refused(refused) + self.ledger.stored(stored)

    def job_begun(self) -> None:
        with self._finished:
            self._jobs += 1

    def job_done(self) -> None:
        with self._finished:
            self._jobs -= 1
            self._finished.notify_all()

    def wait_finished(self, seconds: float) -> None:
        with self._finished:
            self._finished.wait_for(lambda: self._jobs == 0, timeout=seconds)

    def _settle(self, where: deque[list[int]], tags: list[int]) -> None:
        if not tags:
            return
        where.append(tags)
        try:
            self.wake()
        except Exception:
            # What is decided stays decided: the next wake, or the beat of the loop, finds it.
            log.exception("loop_not_woken")
