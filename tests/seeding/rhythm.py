"""When made-up entries were created: many by day, few at night, and bursts now and then."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate

# Seconds within which entries come evenly.
_STEP = 10
_BUSIEST_HOUR, _SWING = 14, 0.7
_HOURS_BETWEEN_BURSTS, _BURST_STEPS, _BURST = 3, (6, 18), 10.0


class Rhythm:
    """`count` moments from `since` to before `until`, in order of time, whole milliseconds."""

    def __init__(self, since: datetime, until: datetime, count: int, seed: int) -> None:
        self._since = since
        self._span = (until - since).total_seconds()
        self._count = count
        self._sums = list(accumulate(self._weights(random.Random(seed))))  # noqa: S311 - nothing is kept secret

    def _weights(self, chance: random.Random) -> list[float]:
        steps = max(1, math.ceil(self._span / _STEP))
        weights = [self._busy(self._since + timedelta(seconds=_STEP * step)) for step in range(steps)]
        for _ in range(round(self._span / 3600 / _HOURS_BETWEEN_BURSTS)):
            first = chance.randrange(steps)
            for step in range(first, min(steps, first + chance.randint(*_BURST_STEPS))):
                weights[step] *= _BURST
        return weights

    @staticmethod
    def _busy(moment: datetime) -> float:
        """One on average over a day."""
        hour = moment.astimezone(UTC).hour + moment.minute / 60
        return 1 + _SWING * math.cos((hour - _BUSIEST_HOUR) / 24 * 2 * math.pi)

    def moment(self, number: int) -> datetime:
        """Of entry `number`, from 0 to less than `count`."""
        place = (number + 0.5) / self._count * self._sums[-1]
        step = min(bisect_right(self._sums, place), len(self._sums) - 1)
        before = self._sums[step - 1] if step else 0.0
        seconds = (step + (place - before) / (self._sums[step] - before)) * _STEP
        milliseconds = int(min(seconds, self._span) * 1000)
        return self._since + timedelta(milliseconds=min(milliseconds, math.ceil(self._span * 1000) - 1))
