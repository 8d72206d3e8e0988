"""Which deliveries of a channel are still in hand, and the fewest words that tell the broker about those that are done."""

from __future__ import annotations

from collections.abc import Iterable

from worker.domain import Settlement


class Ledger:
    """Delivery tags rise, so one acknowledgement can stand for every delivery up to its tag once none of them is in hand.

    Used by the thread that owns the channel.
    """

    def __init__(self) -> None:
        self._open: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, tag: int) -> None:
        self._open[tag] = None

    def stored(self, tags: Iterable[int]) -> list[Settlement]:
        done = sorted(tag for tag in tags if tag in self._open)
        for tag in done:
            del self._open[tag]
        oldest = next(iter(self._open), None)
        prefix = [tag for tag in done if oldest is None or tag < oldest]
        single = done[len(prefix) :]
        settlements = [Settlement(prefix[-1], multiple=True)] if prefix else []
        return settlements + [Settlement(tag) for tag in single]

    def refused(self, tags: Iterable[int]) -> list[Settlement]:
        done = [tag for tag in tags if tag in self._open]
        for tag in done:
            del self._open[tag]
        return [Settlement(tag, refused=True) for tag in done]
