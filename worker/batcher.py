"""Collects deliveries into batches: full, too heavy for one call, or waited long enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.domain import Delivery

# A gRPC server takes 4 MiB unless it says otherwise; a quarter is left for what each entry needs besides its body.
MAX_BYTES = 3 * 1024 * 1024
# Ids, level, service and framing of one entry.
ENTRY_OVERHEAD = 512


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """`wait` is in seconds, counted from the first delivery of a batch."""

    size: int
    wait: float
    bytes: int = MAX_BYTES


class Batcher:
    """Used by one thread."""

    def __init__(self, limits: BatchLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._held: list[Delivery] = []
        self._weight = 0
        self._due = 0.0

    def add(self, delivery: Delivery) -> list[list[Delivery]]:
        """The batches that are ready to leave now, oldest first."""
        left = []
        weight = len(delivery.body) + ENTRY_OVERHEAD
        if self._held and self._weight + weight > self._limits.bytes:
            left.append(self.take())
        if not self._held:
            self._due = self._clock() + self._limits.wait
        self._held.append(delivery)
        self._weight += weight
        if len(self._held) >= self._limits.size or self._weight >= self._limits.bytes:
            left.append(self.take())
        return left

    def due_in(self) -> float | None:
        """Seconds until the batch in the making has to leave, None when there is none."""
        return self._due - self._clock() if self._held else None

    def take(self) -> list[Delivery]:
        """Whatever is held, possibly nothing."""
        held, self._held, self._weight = self._held, [], 0
        return held
