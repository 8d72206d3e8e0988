"""What the readiness probe asks: whether the loop turns, whether work in hand comes to an end, and whether it only waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from common.errors import UnavailableError
from worker.service import LogIntake

# A loop that has not turned for this long is stuck, whatever its connection says.
STALE_SECONDS = 10.0


class Pulse:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attached = False
        self._beat_at = 0.0

    def attached(self) -> None:
        self._attached = True
        self.beat()

    def detached(self) -> None:
        self._attached = False

    def beat(self) -> None:
        self._beat_at = self._clock()

    def check(self) -> None:
        """Raises UnavailableError unless events can arrive."""
        if not self._attached:
            raise UnavailableError("not consuming")
        if self._clock() - self._beat_at > STALE_SECONDS:
            raise UnavailableError("the event loop does not answer")


class Progress:
    """`limit`: seconds without any settlement after which work in hand counts as stalled."""

    def __init__(self, intake: LogIntake, *, limit: float) -> None:
        self._intake = intake
        self._limit = limit

    def check(self) -> None:
        """Raises UnavailableError when messages are in hand, none is settled, and no outage of another part explains it."""
        quiet = self._intake.quiet_for()
        if quiet > self._limit and (self._intake.hung() or not self._intake.outage()):
            raise UnavailableError(f"{self._intake.in_hand()} events in hand, none settled for {quiet:.0f} s")

    def check_held(self) -> None:
        """Raises UnavailableError while events wait in hand for another part; a restart of this one would not help them."""
        outage = self._intake.outage()
        if outage and self._intake.in_hand():
            raise UnavailableError(
                f"{self._intake.in_hand()} events wait since {self._intake.quiet_for():.0f} s: {outage}"
            )
