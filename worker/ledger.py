"""Which deliveries of a channel are still in hand, and the fewest words that tell the broker about those that are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from worker.domain import Settlement


class Ledger:
    """Delivery tags rise, so one acknowledgement can stand for every delivery up to its tag once none of them is in hand.

    Used by the thread that owns the channel; `len`, `weight` and `quiet_for` may be read by others.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[int, int] = {}
        self._quiet_since = 0.0
        # Octets of the bodies in hand.
        self.weight = 0

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, tag: int, weight: int = 0) -> None:
        if not self._open:
            self._quiet_since = self._clock()
        self._open[tag] = weight
        self.weight += weight

    def quiet_for(self) -> float:
        """Seconds since something was settled, or since there was anything to settle; 0.0 while nothing is in hand."""
        return self._clock() - self._quiet_since if self._open else 0.0

    def stored(self, tags: Iterable[int]) -> list[Settlement]:
        done = sorted(tag for tag in tags if tag in self._open)
        self._close(done)
        oldest = next(iter(self._open), None)
        prefix = [tag for tag in done if oldest is None or tag < oldest]
        single = done[len(prefix) :]
        settlements = [Settlement(prefix[-1], multiple=True)] if prefix else []
        return settlements + [Settlement(tag) for tag in single]

    def refused(self, tags: Iterable[int]) -> list[Settlement]:
        done = [tag for tag in tags if tag in self._open]
        self._close(done)
        return [Settlement(tag, refused=True) for tag in done]

    def returned(self, tags: Iterable[int]) -> None:
        """The broker has them again and has been told so."""
        self._close([tag for tag in tags if tag in self._open])

    def _close(self, tags: list[int]) -> None:
        for tag in tags:
            self.weight -= self._open.pop(tag)
        if tags:
            self._quiet_since = self._clock()
