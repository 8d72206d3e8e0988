"""What one run of a generator measured, and the median of several."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank in values sorted upwards; 0.0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Sample:
    """`acknowledged` requests were answered with success in `seconds`; every other outcome is one of `errors`.

    `pushed_back` says how many of the errors were refusals for lack of room, where the generator looks for them. Times are milliseconds.
    """

    acknowledged: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int = 0
    pushed_back: int = 0

    @property
    def rate(self) -> float:
        """Successful requests per second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0

    @classmethod
    def of(cls, told: dict[str, Any]) -> Sample:
        """From the JSON that the generators print."""
        return cls(**{name: told[name] for name in cls.__slots__ if name in told})


def of_latencies(latencies: list[float], *, acknowledged: int, seconds: float, errors: int) -> dict[str, Any]:
    """What a generator prints; `latencies` in seconds, in any order."""
    latencies.sort()
    return {
        "acknowledged": acknowledged,
        "seconds": seconds,
        **{f"p{each}_ms": percentile(latencies, each) * 1000 for each in (50, 95, 99)},
        "errors": errors,
    }


def median_sample(samples: Sequence[Sample]) -> Sample:
    """Each figure's own median, as a run of one second; the errors of all runs together."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(sample, name) for sample in samples))

    return Sample(
        acknowledged=round(middle("rate")),
        seconds=1.0,
        p50_ms=middle("p50_ms"),
        p95_ms=middle("p95_ms"),
        p99_ms=middle("p99_ms"),
        errors=sum(sample.errors for sample in samples),
        pushed_back=sum(sample.pushed_back for sample in samples),
    )
