"""What the listener's thread tells the readiness probe."""

from __future__ import annotations

import time
from collections.abc import Callable

from common.errors import UnavailableError

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
