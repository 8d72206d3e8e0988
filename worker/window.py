"""How many messages the broker may have under way to the listener: as many as fit into memory, by the sizes seen so far.

RabbitMQ limits messages, not octets (its `prefetch_size` is not implemented), and takes a new limit only with a new consumer.
"""

from __future__ import annotations

from protos.limits import MAX_DATA_BYTES

# What a message costs beside its body: its objects, its headers, its entry.
OVERHEAD = 1024
# A limit that is at least this many times off is worth a new consumer.
WORTHWHILE = 2


class Window:
    """`size` is at most `limit` messages, and holds half of `budget` octets by the mean size of the last messages.

    It starts as if all were as large as an event may be. The other half is for what an old consumer has in hand when a new one begins.
    """

    def __init__(self, *, limit: int, budget: int) -> None:
        self._limit = limit
        self.budget = budget
        self.size = self._fitting(MAX_DATA_BYTES)
        self._count = 0
        self._octets = 0

    def observe(self, octets: int) -> bool:
        """Whether so many have been seen that `adapt` can tell more than it could before."""
        self._count += 1
        self._octets += octets
        return self._count >= self.size

    def adapt(self) -> bool:
        """Whether `size` has changed."""
        if not self._count:
            return False
        mean = self._octets // self._count
        fitting = self._fitting(mean)
        grows = fitting >= WORTHWHILE * self.size or fitting == self._limit > self.size
        shrinks = WORTHWHILE * fitting <= self.size
        if grows or shrinks:
            self.size = fitting
        # The past counts half, so that a mean is always that of one to two windows.
        self._count = min(self._count, self.size) // 2
        self._octets = mean * self._count
        return grows or shrinks

    def overflowed(self, octets: int) -> None:
        """A message of this size was one too many: until more is known all count as that large."""
        self.size = min(self.size, self._fitting(octets))
        self._count = self._octets = 0

    def _fitting(self, octets: int) -> int:
        return max(1, min(self._limit, self.budget // 2 // (octets + OVERHEAD)))
